// The real llama-server that all tests share, installed by the product's own code on the first use.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { findOrInstallRuntime } from "../../src/host/install.ts";
import { debianSource } from "../../src/host/install_debian.ts";
import { githubSource } from "../../src/host/install_github.ts";
import { createLog, formatEntry } from "../../src/log.ts";

let installing: Promise<string> | null = null;

/**
 * The path of a llama-server: `ZOMBIE_TEST_LLAMA_SERVER`, or one in a folder of this user that
 * all test processes share. Throws where there is none and none can be installed: tests never do
 * without.
 */
export function testRuntime(): Promise<string> {
  return installing ??= findTestRuntime();
}

async function findTestRuntime(): Promise<string> {
  const runtimeHome = join(tmpdir(), `zombiecoder-test-runtime-${Deno.uid() ?? "user"}`);
  await makeOwnFolder(runtimeHome);
  const runtime = await findOrInstallRuntime({
    llamaServer: Deno.env.get("ZOMBIE_TEST_LLAMA_SERVER") || null,
    bundledFolder: join(runtimeHome, "no-bundled-build"),
    runtimeHome,
    path: null,
    sources: [githubSource(), debianSource()],
    log: createLog({
      part: "test-runtime",
      level: "info",
      write: (entry) => Deno.stderr.writeSync(new TextEncoder().encode(formatEntry(entry) + "\n")),
    }),
    onProgress: () => {},
    signal: new AbortController().signal,
  });
  return runtime.path;
}

// The temporary folder is everyone's: what another user prepared there is not run.
export async function makeOwnFolder(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  const { isDirectory, uid, mode } = await Deno.lstat(path);
  const others = Deno.build.os !== "windows" && (uid !== Deno.uid() || (mode! & 0o022) !== 0);
  if (!isDirectory || others) throw new Error(`Cannot use "${path}": others can write there`);
}

// A process of its own that looks for a runtime: `find_once.ts OPTIONS`, where the folder that
// it works in, or its environment, is what counts. Both belong to a whole process, in which other tests
// run as well. Prints what came of it.

import { AppError } from "../../src/errors.ts";
import { findOrInstallRuntime } from "../../src/host/install.ts";
import { debianSource } from "../../src/host/install_debian.ts";
import { createLog } from "../../src/log.ts";

export interface Found {
  /** Null where none was found. */
  path: string | null;
  code: string | null;
  message: string | null;
}

export interface FindOptions {
  runtimeHome: string;
  path: string | null;
  /** Where it may install from. */
  source: "debian" | "none";
  cwd?: string;
  env?: Record<string, string>;
}

export async function findInProcess(options: FindOptions): Promise<Found> {
  const { runtimeHome, path, source, cwd, env } = options;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-prompt", "--quiet", import.meta.url],
      JSON.stringify({ runtimeHome, path, source }),
    ],
    ...(cwd !== undefined && { cwd }),
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function find({ runtimeHome, path, source }: FindOptions): Promise<Found> {
  try {
    const runtime = await findOrInstallRuntime({
      llamaServer: null,
      bundledFolder: `${runtimeHome}/none`,
      runtimeHome,
      path,
      sources: source === "debian" ? [debianSource()] : [],
      log: createLog({ part: "install", level: "error", write: () => {} }),
      onProgress: () => {},
      signal: new AbortController().signal,
    });
    return { path: runtime.path, code: null, message: null };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { path: null, code: error.code, message: error.message };
  }
}

if (import.meta.main) {
  const found = await find(JSON.parse(Deno.args[0]!));
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(found)));
}

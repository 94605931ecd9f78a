// A process of its own that installs from a stand-in release API: `install_once.ts HOME API_BASE
// ASSET`. Prints the path.

import { findOrInstallRuntime } from "../../src/host/install.ts";
import { githubSource } from "../../src/host/install_github.ts";
import { createLog } from "../../src/log.ts";

const [runtimeHome, apiBase, digest] = Deno.args as [string, string, string];
const runtime = await findOrInstallRuntime({
  llamaServer: null,
  bundledFolder: `${runtimeHome}/none`,
  runtimeHome,
  path: null,
  sources: [githubSource({
    apiBase,
    platform: { os: "linux", arch: "x86_64" },
    pinned: { tag: "b11118", digests: { "ubuntu-x64.tar.gz": digest } },
  })],
  log: createLog({ part: "install", level: "error", write: () => {} }),
  onProgress: () => {},
  signal: new AbortController().signal,
});
await Deno.stdout.write(new TextEncoder().encode(runtime.path));

// A process of its own that goes from one build to the other without end: `switch_builds.ts RUNTIME_HOME
// NAME NAME`. Prints a line for each choice that was made.

import { BuildGuard } from "../../src/host/build_check.ts";
import { findOrInstallRuntime } from "../../src/host/install.ts";
import { RuntimeKeeper } from "../../src/host/runtime_keeper.ts";
import { Runtimes } from "../../src/host/runtimes.ts";
import { createLog } from "../../src/log.ts";

const [runtimeHome, ...names] = Deno.args as [string, string, string];
const options = {
  llamaServer: null,
  bundledFolder: `${runtimeHome}/none`,
  runtimeHome,
  path: null,
  guard: new BuildGuard(),
  log: createLog({ part: "t", level: "error", write: () => {} }),
  signal: new AbortController().signal,
};
const keeper = new RuntimeKeeper({
  find: (onProgress) => findOrInstallRuntime({ ...options, sources: [], onProgress }),
  onChange: () => {},
});
const runtimes = new Runtimes({
  ...options,
  keeper,
  running: () => [],
  facts: () => Promise.resolve({ os: "linux", arch: "x86_64", gpus: [], nvidia: null }),
  sources: () => [],
});
for (;;) {
  for (const name of names) {
    await runtimes.use(name);
    await Deno.stdout.write(new TextEncoder().encode(`${name}\n`));
  }
}

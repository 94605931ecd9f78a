// Chooses how processes are looked at on this platform. The decision what is ours is process_identity.ts's.

import { LinuxProcessProbe } from "./linux_process_probe.ts";
import { MacProcessProbe } from "./mac_process_probe.ts";
import type { ProcessProbe } from "./process_identity.ts";
import { type RunCommand, runCommand } from "./run_command.ts";
import { WindowsProcessProbe } from "./windows_process_probe.ts";

export type { ProcessFacts, ProcessProbe } from "./process_identity.ts";
export { isSameProcess, leftoverPids, TOKEN_VARIABLE } from "./process_identity.ts";

export function createProcessProbe(
  platform: typeof Deno.build.os = Deno.build.os,
  run: RunCommand = runCommand,
): ProcessProbe {
  if (platform === "darwin") return new MacProcessProbe(run);
  if (platform === "windows") return new WindowsProcessProbe(run);
  return new LinuxProcessProbe();
}

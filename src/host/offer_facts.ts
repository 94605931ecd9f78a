// What offers of builds depend on: system, GPUs, and what NVIDIA's driver can run.

import type { HostProbe } from "./probes/host_probe.ts";
import { readNvidiaDriver } from "./probes/nvidia_driver.ts";
import { runCommand } from "./probes/run_command.ts";
import type { OfferFacts } from "./runtime_offers.ts";

const SYSCTL_TIMEOUT_MS = 1_000;

export async function offerFacts(probe: Pick<HostProbe, "read">): Promise<OfferFacts> {
  const { gpus } = await probe.read({ fresh: true });
  const hasNvidia = gpus.some(({ vendor }) => vendor === "nvidia");
  return {
    os: Deno.build.os,
    arch: await isTranslated() ? "aarch64" : Deno.build.arch,
    gpus,
    nvidia: hasNvidia ? await readNvidiaDriver() : null,
  };
}

/** Whether Rosetta runs us: the Mac itself then runs the builds for Apple's own chips. */
async function isTranslated(): Promise<boolean> {
  if (Deno.build.os !== "darwin" || Deno.build.arch !== "x86_64") return false;
  const args = ["-n", "sysctl.proc_translated"];
  const result = await runCommand("/usr/sbin/sysctl", args, SYSCTL_TIMEOUT_MS);
  return result?.stdout.trim() === "1";
}

// What the NVIDIA driver can run: its version and the GPUs' compute capabilities.

import { NVIDIA_SMI_LINUX, NVIDIA_SMI_WINDOWS } from "./nvidia_smi.ts";
import { type RunCommand, runCommand } from "./run_command.ts";
import { SystemFiles } from "./system_files.ts";

export interface NvidiaDriver {
  /** `580.65.06` */
  version: string;
  /** The least and the most of all GPUs; null where the tool does not say. */
  leastCapability: number | null;
  mostCapability: number | null;
}

const TIMEOUT_MS = 3_000;

/** Null where there is no driver, or it does not answer. */
export async function readNvidiaDriver(
  { platform = Deno.build.os, root, run = runCommand }: {
    platform?: string;
    root?: string;
    run?: RunCommand;
  } = {},
): Promise<NvidiaDriver | null> {
  const files = new SystemFiles(root);
  const known = platform === "windows" ? NVIDIA_SMI_WINDOWS : NVIDIA_SMI_LINUX;
  const tool = known.find((path) => files.exists(path));
  if (tool === undefined) return null;
  const args = ["--query-gpu=driver_version,compute_cap", "--format=csv,noheader"];
  const result = await run(tool, args, TIMEOUT_MS);
  return result === null || result.code !== 0 ? null : parseNvidiaDriver(result.stdout);
}

/** One line for each GPU: `580.65.06, 8.6`; all have one driver. */
export function parseNvidiaDriver(text: string): NvidiaDriver | null {
  const lines = [...text.matchAll(/^\s*(\d{2,4}(?:\.\d{1,4}){1,2}) *, *(.*?)\s*$/gm)];
  const version = lines[0]?.[1];
  if (version === undefined) return null;
  const capabilities = lines.map(([, , capability]) =>
    /^\d{1,2}\.\d$/.test(capability!) ? Number(capability) : null
  );
  const known = capabilities.filter((each) => each !== null);
  const isKnown = known.length === lines.length;
  return {
    version,
    leastCapability: isKnown ? Math.min(...known) : null,
    mostCapability: isKnown ? Math.max(...known) : null,
  };
}

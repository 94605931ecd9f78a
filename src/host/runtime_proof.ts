// Whether a build that is here can be used now: as it was installed, and run once.

import { basename, dirname } from "node:path";
import { messageOf } from "../errors.ts";
import type { BuildGuard } from "./build_check.ts";
import type { Runtime } from "./find_runtime.ts";
import { listRecords } from "./runtime_home.ts";
import { probeRuntime, refusalOf } from "./runtime_probe.ts";
import { tooOldOrBroken } from "./runtime_refusals.ts";
import type { RuntimeRow } from "./runtime_rows.ts";

export interface ProofOptions {
  guard: BuildGuard;
  runtimeHome: string;
  signal: AbortSignal;
}

/** Throws `runtime_changed`, `runtime_refused`, and the signal's reason after an abort. */
export async function proveBuild(
  row: RuntimeRow,
  { guard, runtimeHome, signal }: ProofOptions,
): Promise<Runtime> {
  if (row.source === "installed") {
    if (!row.isWhole) throw tooOldOrBroken(row.name, row.refusal!);
    const builds = await listRecords(runtimeHome);
    const { record } = builds.find(({ folder }) => basename(folder) === row.name)!;
    await guard.checkAll({ folder: dirname(row.path), record }, signal);
  }
  try {
    const path = await Deno.realPath(row.path);
    const probe = await probeRuntime(path, { runtimeHome, fresh: true, signal });
    const refusal = refusalOf(probe);
    if (refusal !== null) throw new Error(refusal);
    return { ...probe, source: row.source };
  } catch (error) {
    signal.throwIfAborted();
    throw tooOldOrBroken(row.name, messageOf(error), error);
  }
}

/** A build for GPUs that is here already must see one now. Returns its name. */
export async function proveInstalled(
  row: RuntimeRow,
  { variant, ...options }: ProofOptions & { variant: string },
): Promise<string> {
  const { devices } = await proveBuild(row, options);
  if (/^(vulkan|cuda)/.test(variant) && devices.length === 0) {
    throw new Error("it sees no GPU. Update the GPU's driver, then try again");
  }
  return row.name;
}

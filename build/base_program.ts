// `denort`, what an executable consists of beside our part: Deno without its tools. `deno compile` fetches
// it; where it cannot, DENORT_BIN names one, or a folder with one for each target.

import { join } from "node:path";
import { programKind } from "./program_kind.ts";
import { BuildFailure, type Ran, runDeno } from "./step.ts";
import type { Target } from "./targets.ts";

export interface BaseProgram {
  path: string;
  sizeBytes: number;
}

/** Null where `deno compile` is to fetch it. */
export async function baseFor(
  { triple, os, arch }: Target,
  { isOnly }: { isOnly: boolean },
): Promise<BaseProgram | null> {
  const given = Deno.env.get("DENORT_BIN");
  if (given === undefined || given === "") return null;
  const name = os === "windows" ? `denort-${triple}.exe` : `denort-${triple}`;
  const { isDirectory } = await statOf(given);
  if (!isDirectory && !isOnly) {
    throw new BuildFailure(
      `Cannot compile for all systems with one base: make DENORT_BIN a folder with "${name}" and so on`,
    );
  }
  const path = isDirectory ? join(given, name) : given;
  const { size } = await statOf(path);
  const kind = await programKind(path);
  // Deno itself would put our part behind a program for another processor.
  if (kind?.os !== os || kind.arch !== arch) {
    throw new BuildFailure(
      `Cannot compile for ${triple} with DENORT_BIN: "${path}" is no program for it`,
    );
  }
  return { path, sizeBytes: size };
}

/** Runs `deno` with that base. */
export async function deno(
  args: readonly string[],
  { cwd, base }: { cwd: string; base: BaseProgram | null },
): Promise<Ran> {
  return await runDeno(args, { cwd, ...(base !== null && { env: { DENORT_BIN: base.path } }) });
}

/** What to do where it was not to be had; null where something else went wrong. */
export function unavailable(stderr: string, { triple }: Target): BuildFailure | null {
  const url = /https?:\/\/\S+\/denort-[^\s/)]+\.zip/.exec(stderr)?.[0];
  if (url === undefined) return null;
  return new BuildFailure(
    `Cannot fetch denort for ${triple}: get ${url} on a machine that can, unpack it and set DENORT_BIN=PATH`,
  );
}

async function statOf(path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new BuildFailure(`Cannot compile with DENORT_BIN: there is no "${path}"`);
  }
}

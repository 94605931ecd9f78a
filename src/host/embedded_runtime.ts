// The llama.cpp build that a program may carry: an archive beside its scripts, inside of the executable
// where compiled, and what is known of it. build/runtime_archive.ts makes both, install_embedded.ts unpacks.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fileBeside } from "./program_files.ts";

/** `runtime.json`. It comes from the same hands as the program itself, so it is believed. */
export interface EmbeddedRuntime {
  schema: 1;
  /** The folder that it is unpacked into, such as `llama-b11118`: another one for each build number. */
  name: string;
  /** By which a later program knows that it brings a newer one; null where nobody could tell. */
  build: number | null;
  /** For which it was built, as `Deno.build` has them. */
  os: string;
  arch: string;
  sizeBytes: number;
  sha256: string;
  /** The file among its own that starts its programs; null where they use the system's. */
  loader: string | null;
}

export interface EmbeddedOptions {
  /** Folder with the archive and its record; by default that of the program's scripts. */
  folder?: string;
  platform?: { os: string; arch: string };
}

export const RUNTIME_ARCHIVE = "runtime.tar.gz";
export const RUNTIME_RECORD = "runtime.json";

/** Null where the program carries none. */
export async function embeddedRuntime(
  { folder }: Pick<EmbeddedOptions, "folder">,
): Promise<{ runtime: EmbeddedRuntime; archive: string } | null> {
  const record = pathOf(RUNTIME_RECORD, folder);
  const archive = pathOf(RUNTIME_ARCHIVE, folder);
  if (record === null || archive === null) return null;
  try {
    return { runtime: JSON.parse(await Deno.readTextFile(record)), archive };
  } catch (error) {
    // With narrow flags there is nothing here for us either.
    const { NotCapable, NotFound } = Deno.errors;
    if (error instanceof NotFound || error instanceof NotCapable) return null;
    throw error;
  }
}

/** Why this computer cannot use it; null where it may. */
export function foreignTo(
  { platform = Deno.build }: Pick<EmbeddedOptions, "platform">,
  { os, arch }: EmbeddedRuntime,
): string | null {
  const fits = os === platform.os && arch === platform.arch;
  return fits ? null : `the one inside is for ${os} on ${arch}`;
}

function pathOf(name: string, folder: string | undefined): string | null {
  if (folder !== undefined) return join(folder, name);
  const address = fileBeside(name);
  return address === null ? null : fileURLToPath(address);
}

// The llama.cpp build that a program may carry: an archive beside its scripts, inside of the executable
// where compiled, and what is known of it. build/runtime_archive.ts makes both, install_embedded.ts unpacks.

/** `runtime.json`. It comes from the same hands as the program itself, so it is believed. */
export interface EmbeddedRuntime {
  schema: 1;
  /** The folder that it is unpacked into, such as `llama-b11118`. */
  name: string;
  /** For which it was built, as `Deno.build` has them. */
  os: string;
  arch: string;
  sizeBytes: number;
  sha256: string;
  /** The file among its own that starts its programs; null where they use the system's. */
  loader: string | null;
}

export const RUNTIME_ARCHIVE = "runtime.tar.gz";
export const RUNTIME_RECORD = "runtime.json";

// For which system a program was built, from its first bytes.

import type { Target } from "./targets.ts";

export type ProgramKind = Pick<Target, "os" | "arch">;

const ELF: Readonly<Record<number, ProgramKind["arch"]>> = { 0x3e: "x86_64", 0xb7: "aarch64" };
const MACH: Readonly<Record<number, ProgramKind["arch"]>> = {
  0x0100_0007: "x86_64",
  0x0100_000c: "aarch64",
};
const PE: Readonly<Record<number, ProgramKind["arch"]>> = { 0x8664: "x86_64", 0xaa64: "aarch64" };
const HEADER_BYTES = 4_096;

/** Null for what is not there, or is no program for a system that we build for. */
export async function programKind(path: string): Promise<ProgramKind | null> {
  let header: DataView;
  try {
    using file = await Deno.open(path, { read: true });
    const bytes = new Uint8Array(HEADER_BYTES);
    await file.read(bytes);
    header = new DataView(bytes.buffer);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  if (header.getUint32(0) === 0x7f45_4c46) return kind("linux", ELF[header.getUint16(18, true)]);
  if (header.getUint32(0, true) === 0xfeed_facf) {
    return kind("darwin", MACH[header.getUint32(4, true)]);
  }
  if (header.getUint16(0) !== 0x4d5a) return null;
  const offset = header.getUint32(60, true);
  if (offset + 6 > HEADER_BYTES || header.getUint32(offset) !== 0x5045_0000) return null;
  return kind("windows", PE[header.getUint16(offset + 4, true)]);
}

function kind(os: ProgramKind["os"], arch: ProgramKind["arch"] | undefined): ProgramKind | null {
  return arch === undefined ? null : { os, arch };
}

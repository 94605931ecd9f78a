// What a caged program may see of the system, and what it may take. Which libraries that are is
// cage_libraries.ts's.

import { basename, dirname } from "node:path";

export interface Walls {
  cage: Cage;
  view: CageView;
}

export type CageKind = "bubblewrap" | "landlock" | "sandbox-exec";

/** A cage that was seen to work here. */
export interface Cage {
  kind: CageKind;
  /** Absolute path of bwrap, setpriv or sandbox-exec. */
  program: string;
  /** Paths of the system call filters; null = none can be used. */
  filters: { plain: string; gpu: string } | null;
  /** Private folders can be bounded in size. */
  sizes?: boolean;
}

/** All that a caged program may see of the system. */
export interface CageView {
  /** Folders and files with programs and libraries; only read. */
  libraries: readonly string[];
  /** Model files; only read. */
  files: readonly ModelFile[];
  /** The one folder that it may write into; null = none. */
  writable: string | null;
  gpu: boolean;
  /** Its own memory, as opposed to the model files that it maps; null = unbounded. */
  privateBytes: number | null;
}

/**
 * Where a program lists a folder of which it sees single files alone: llama.cpp finds its backends so. The
 * names of the others are told there, nothing of what they hold.
 */
export function listedFolders({ libraries }: CageView): string[] {
  const backends = libraries.filter((path) => /^libggml-(?!base).*\.so$/.test(basename(path)));
  return [...new Set(backends.map((path) => dirname(path)))];
}

export interface ModelFile {
  /** The name by which the program asks. */
  path: string;
  /** The file that it gets, all links followed. */
  real: string;
}

/** Of NVIDIA, AMD and all others; tried, since only some are there. */
export const GPU_DEVICES: readonly string[] = [
  ...["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-caps"],
  ...Array.from({ length: 16 }, (_, index) => `/dev/nvidia${index}`),
  ...["/dev/kfd", "/dev/dri"],
];

export function filterPath({ cage, view }: Walls): string | null {
  return (view.gpu ? cage.filters?.gpu : cage.filters?.plain) ?? null;
}

const GIB = 2 ** 30;
const STACK_BYTES = 8 * 2 ** 20;

export interface MemoryBoundOptions {
  /** What the load was planned with; null = unknown. */
  plannedBytes: number | null;
  totalBytes: number;
  threads: number;
}

/**
 * Twice what was planned and room for what no plan knows, or half of the computer: enough for any
 * model that was let in, and short of what would take all other programs along. Only private pages
 * that can be written count: a mapped model file does not.
 */
export function privateMemoryBound(options: MemoryBoundOptions): number | null {
  const { plannedBytes, totalBytes, threads } = options;
  if (plannedBytes === null) return null;
  return Math.max(2 * plannedBytes + 2 * GIB + threads * STACK_BYTES, totalBytes / 2);
}

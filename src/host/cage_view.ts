// What a caged program may see of the system, and what of it follows from the program itself.

import { basename, dirname, join } from "node:path";
import { loaderOf } from "./elf_interpreter.ts";

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

const SYSTEM_LIBRARIES = [
  ...["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/local/lib64"],
  // By which the loader finds them; and where Debian's links to a chosen one of several lead.
  ...["/etc/ld.so.cache", "/etc/alternatives"],
];
/** Where drivers and their descriptions lie. */
const GPU_LIBRARIES = [
  ...["/opt/rocm", "/usr/local/cuda", "/usr/share/vulkan", "/etc/vulkan", "/usr/share/glvnd"],
  ...["/usr/share/nvidia", "/etc/OpenCL", "/usr/share/libdrm"],
];
/** Folders of package managers that keep libraries apart, by absolute paths. */
const PACKAGE_TREES = ["/nix/store", "/gnu/store", "/home/linuxbrew/.linuxbrew"];

/** What the program needs to start: its own folder and, unless that has all, the system's libraries. */
export function librariesOf(program: string, { gpu }: { gpu: boolean }): string[] {
  const own = ownFiles(program);
  // That of a build which was moved may lie elsewhere.
  const loader = loaderOf(program);
  if (loader !== null && !own.includes(dirname(loader)) && !/^\/(?:usr\/)?lib/.test(loader)) {
    own.push(loader);
  }
  if (isSelfContained(dirname(program)) && !gpu) return own;
  const tree = PACKAGE_TREES.find((each) => program.startsWith(`${each}/`));
  return [
    ...SYSTEM_LIBRARIES,
    ...(gpu ? GPU_LIBRARIES : []),
    ...(tree === undefined ? [] : [tree]),
    ...own,
  ];
}

// In a folder that many programs share there are shells as well: then only what is llama.cpp's.
function ownFiles(program: string): string[] {
  const folder = dirname(program);
  if (!["bin", "sbin"].includes(basename(folder))) return [folder];
  const beside = namesIn(folder).filter((name) => /^lib.*\.so(\.\d+)*$/.test(name));
  return [program, ...beside.map((name) => join(folder, name))];
}

/** A build with the C library it was made for, as install_debian.ts makes them. */
function isSelfContained(folder: string): boolean {
  const names = namesIn(folder);
  return names.some((name) => /^ld-linux.*\.so\.\d+$/.test(name)) && names.includes("libc.so.6");
}

function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

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

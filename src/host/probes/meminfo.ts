// Linux `/proc/meminfo`: RAM as the kernel counts it. Limits of a container are cgroup.ts's.

const LINE = /^(\w+):\s+(\d+) kB$/gm;

export interface Meminfo {
  totalBytes: number | null;
  /** `MemAvailable`, never `MemFree`: what can be had without swapping. */
  availableBytes: number | null;
}

export function parseMeminfo(text: string): Meminfo {
  const found: Meminfo = { totalBytes: null, availableBytes: null };
  for (const [, name, kibibytes] of text.matchAll(LINE)) {
    // The file writes "kB" and means KiB.
    if (name === "MemTotal") found.totalBytes = Number(kibibytes) * 1024;
    if (name === "MemAvailable") found.availableBytes = Number(kibibytes) * 1024;
  }
  return found;
}

// macOS `vm_stat`: memory that can be had without swapping.

/** Counted as available: not in use, or dropped before anything is written to disk. */
const AVAILABLE = ["free", "inactive", "speculative", "purgeable"];

/** Null where the page size or the free pages are missing. */
export function parseVmStat(text: string): number | null {
  const pageBytes = Number(/page size of (\d+) bytes/.exec(text)?.[1] ?? NaN);
  const pages = new Map(
    [...text.matchAll(/^Pages (\w+):\s+(\d+)\.$/gm)].map((match) => [match[1], Number(match[2])]),
  );
  if (Number.isNaN(pageBytes) || !pages.has("free")) return null;
  return AVAILABLE.reduce((sum, name) => sum + (pages.get(name) ?? 0), 0) * pageBytes;
}

// Amounts of memory and disk as people write them: bytes with or without a unit.

/** What an error says is accepted. */
export const SIZE_FORMS = 'a size such as "4GB", "4GiB" or "512M", or a number of bytes';

// GNU's rule: a bare letter and "iB" count in 1,024, "B" after the letter in 1,000.
const UNITS = [
  ["TiB", 1024 ** 4],
  ["TB", 1000 ** 4],
  ["GiB", 1024 ** 3],
  ["GB", 1000 ** 3],
  ["MiB", 1024 ** 2],
  ["MB", 1000 ** 2],
  ["KiB", 1024],
  ["KB", 1000],
] as const;

const BYTES_OF: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ...UNITS.map(([unit, bytes]) => [unit.toLowerCase(), bytes] as const),
  ...UNITS.filter(([unit]) => unit.endsWith("iB"))
    .map(([unit, bytes]) => [unit.charAt(0).toLowerCase(), bytes] as const),
]);

/** Whole bytes, 0 or more; null when it is no size. `1.5 GB`, `4gib` and `4G` are sizes too. */
export function parseSize(raw: string | number): number | null {
  if (typeof raw === "number") return wholeBytes(raw, 1);
  const [, count, unit] = /^\+?(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)$/i.exec(raw.trim()) ?? [];
  const bytes = BYTES_OF.get((unit ?? "").toLowerCase());
  return count === undefined || bytes === undefined ? null : wholeBytes(Number(count), bytes);
}

/** Exact, in the largest unit that divides it: `4GiB`, `512MB`, `1000001`; `parseSize` reads it back. */
export function formatSize(sizeBytes: number): string {
  for (const [unit, bytes] of UNITS) {
    if (sizeBytes >= bytes && sizeBytes % bytes === 0) return `${sizeBytes / bytes}${unit}`;
  }
  return String(sizeBytes);
}

function wholeBytes(count: number, unitBytes: number): number | null {
  const sizeBytes = Math.round(count * unitBytes);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) return null;
  return unitBytes === 1 && !Number.isInteger(count) ? null : sizeBytes + 0;
}

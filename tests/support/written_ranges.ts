// Which bytes of a file are on the disk already, by looking at them: what a program that was killed had
// written, whatever it had noted.

import { Buffer } from "node:buffer";
import type { HubContent } from "./hub_content.ts";
import type { SentRange } from "./ranges_sent.ts";

/** Whole blocks alone count: a hole and a byte that is 0 look the same. */
const BLOCK_BYTES = 4096;

/** Nothing where there is no such file. */
export function writtenRanges(path: string, content: HubContent): SentRange[] {
  const ranges: SentRange[] = [];
  const bytes = contentOf(path);
  const expected = content.read(0, content.sizeBytes);
  for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
    const end = Math.min(start + BLOCK_BYTES, bytes.length);
    if (!isSame(bytes.subarray(start, end), expected.subarray(start, end))) continue;
    const last = ranges.at(-1);
    if (last?.end === start) last.end = end;
    else ranges.push({ start, end });
  }
  return ranges;
}

function contentOf(path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Uint8Array(0);
    throw error;
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

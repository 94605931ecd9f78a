// What the stand-in's files hold: bytes from memory, or made when they are read, so that 40 GB cost
// nothing. Who may read them is the stand-in's.

import { createHash } from "node:crypto";
import type { GgufLayout } from "../../src/models/gguf_writer.ts";

export interface HubContent {
  readonly sizeBytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
  /** The bytes from `start`; both ends lie inside. */
  read(start: number, length: number): Uint8Array<ArrayBuffer>;
}

export function bytesContent(bytes: Uint8Array<ArrayBuffer>): HubContent {
  return {
    sizeBytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    read: (start, length) => bytes.subarray(start, start + length),
  };
}

export function textContent(text: string): HubContent {
  return bytesContent(new TextEncoder().encode(text));
}

/**
 * Bytes that no other place and no other seed has: whatever is written to a wrong offset, left out
 * or taken from another file changes the checksum.
 */
export function seededContent(seed: number, sizeBytes: number): HubContent {
  const pattern = patternOf(seed);
  const content = {
    sizeBytes,
    read(start: number, length: number) {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length;) {
        const from = (start + at) % PERIOD;
        const piece = pattern.subarray(from, Math.min(PERIOD, from + length - at));
        bytes.set(piece, at);
        at += piece.length;
      }
      stampPages(bytes, start);
      return bytes;
    },
  };
  return withHash(content, null);
}

/** A GGUF of `sizeBytes` (by default what its tensors need): a real header, zeros where no data is. */
export function ggufContent(layout: GgufLayout, sizeBytes = layout.sizeBytes): HubContent {
  const written = [{ offset: 0, data: layout.header }, ...layout.parts];
  const content = {
    sizeBytes,
    read(start: number, length: number) {
      const bytes = new Uint8Array(length);
      for (const { offset, data } of written) {
        const from = Math.max(start, offset);
        const to = Math.min(start + length, offset + data.length);
        if (from < to) bytes.set(data.subarray(from - offset, to - offset), from - start);
      }
      return bytes;
    },
  };
  // Nobody hashes 40 GB of zeros in a test: the number is as good as any other there.
  const invented = createHash("sha256").update(layout.header).update(`${sizeBytes}`).digest("hex");
  return withHash(content, sizeBytes > MOST_HASHED_BYTES ? invented : null);
}

/** No power of two, so that no two blocks of a file begin alike. */
const PERIOD = 1_000_003;
const PAGE = 4096;
const MOST_HASHED_BYTES = 512 * 1024 ** 2;
const HASHED_AT_ONCE_BYTES = 1024 * 1024;

// xorshift: quick, and the same on every machine.
function patternOf(seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(PERIOD / 4));
  let state = (seed * 2_654_435_761 + 1) >>> 0 || 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state >>> 0;
  }
  return new Uint8Array(words.buffer, 0, PERIOD);
}

// The page's number, into the first four bytes of each page.
function stampPages(bytes: Uint8Array, start: number): void {
  for (let page = Math.floor(start / PAGE); page * PAGE < start + bytes.length; page++) {
    for (let index = 0; index < 4; index++) {
      const at = page * PAGE + index - start;
      if (at >= 0 && at < bytes.length) bytes[at] = (page >>> (8 * index)) & 0xff;
    }
  }
}

function withHash(content: Omit<HubContent, "sha256">, known: string | null): HubContent {
  let sha256 = known;
  return {
    ...content,
    get sha256() {
      return sha256 ??= hashOf(content);
    },
  };
}

function hashOf({ sizeBytes, read }: Omit<HubContent, "sha256">): string {
  const hash = createHash("sha256");
  for (let at = 0; at < sizeBytes; at += HASHED_AT_ONCE_BYTES) {
    hash.update(read(at, Math.min(HASHED_AT_ONCE_BYTES, sizeBytes - at)));
  }
  return hash.digest("hex");
}

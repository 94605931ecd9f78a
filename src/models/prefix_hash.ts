// The sha256 of a file that is still arriving: from memory as far as its bytes come in order, else
// from the disk, where they lie in the page cache.

import type { Hash } from "node:crypto";

const SLICE_BYTES = 1024 * 1024;

export class PrefixHash {
  readonly #hash: Hash;
  #at = 0;
  #following: Promise<void> | null = null;

  private constructor(hash: Hash) {
    this.#hash = hash;
  }

  static async create(): Promise<PrefixHash> {
    // Five megabytes of library: an idle server does without.
    const { createHash } = await import("node:crypto");
    return new PrefixHash(createHash("sha256"));
  }

  /** Bytes from the file's start on that are in the sum. */
  get hashedBytes(): number {
    return this.#at;
  }

  /** Bytes that lie at `offset` now; taken where they are the next ones. */
  offer(offset: number, bytes: Uint8Array): void {
    if (this.#following !== null || offset !== this.#at) return;
    this.#hash.update(bytes);
    this.#at += bytes.length;
  }

  /**
   * Reads the file up to `until()`, asked again after each slice. Between two slices the thread is
   * everyone's. One follower at a time: another one joins it.
   */
  follow(path: string, options: { until: () => number; signal: AbortSignal }): Promise<void> {
    this.#following ??= this.#read(path, options).finally(() => this.#following = null);
    return this.#following;
  }

  /** Once, at the end. */
  digest(): string {
    return this.#hash.digest("hex");
  }

  async #read(
    path: string,
    { until, signal }: { until: () => number; signal: AbortSignal },
  ): Promise<void> {
    using file = await Deno.open(path, { read: true });
    await file.seek(this.#at, Deno.SeekMode.Start);
    const slice = new Uint8Array(SLICE_BYTES);
    while (this.#at < until() && !signal.aborted) {
      const length = Math.min(SLICE_BYTES, until() - this.#at);
      const count = await file.read(slice.subarray(0, length));
      // Shorter than its map says: the sum will be wrong, and the file is fetched again.
      if (count === null) return;
      this.#hash.update(slice.subarray(0, count));
      this.#at += count;
    }
  }
}

// Files that a client sent and no model is made of yet: `<home>/blobs/sha256-<hex>`, each checked
// against its own name while it came. What they become is model_creation.ts's.

import { join } from "node:path";

import { removeIfThere, syncPath, writeAll } from "../durable_write.ts";
import { AppError } from "../errors.ts";
import { randomHex } from "../random_hex.ts";
import { PrefixHash } from "./prefix_hash.ts";

export interface ReceiveOptions {
  /** Null where the client did not say. */
  sizeBytes: number | null;
  /** Null = unknown. */
  freeBytes(): Promise<number | null>;
}

const DIGEST = /^sha256[:-]([0-9a-fA-F]{64})$/;
/** What other programs on this disk need. */
const RESERVE_BYTES = 256 * 1024 ** 2;
/** After so many bytes the disk is looked at again. */
const LOOK_BYTES = 64 * 1024 ** 2;
/** Sent, and never made into a model. */
const LEFT_AFTER_MS = 24 * 3_600_000;

export class BlobStore {
  readonly #folder: string;

  constructor(home: string) {
    this.#folder = join(home, "blobs");
  }

  /** Throws `invalid_request` for anything but a SHA-256. */
  pathOf(digest: string): string {
    const hex = DIGEST.exec(digest)?.[1];
    if (hex !== undefined) return join(this.#folder, `sha256-${hex.toLowerCase()}`);
    throw new AppError("invalid_request", "invalid digest format", {
      values: { digest: digest.slice(0, 100) },
    });
  }

  async has(digest: string): Promise<boolean> {
    try {
      return (await Deno.lstat(this.pathOf(digest))).isFile;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  /**
   * On the disk under its digest when it returns; whatever goes wrong, nothing of it stays.
   *
   * @throws {AppError} `invalid_request` for bytes of another digest, `disk_full`, `cancelled`.
   */
  async receive(
    digest: string,
    body: AsyncIterable<Uint8Array>,
    options: ReceiveOptions,
  ): Promise<void> {
    const path = this.pathOf(digest);
    await Deno.mkdir(this.#folder, { recursive: true });
    await this.#removeLeft();
    await checkRoom(options.sizeBytes ?? 0, options);
    const aside = join(this.#folder, `${randomHex(8)}.partial`);
    try {
      const found = await write(aside, body, options);
      if (!path.endsWith(found)) {
        throw new AppError(
          "invalid_request",
          `digest mismatch, expected "${digest}", got "sha256:${found}"`,
        );
      }
      await Deno.rename(aside, path);
      await syncPath(this.#folder);
    } catch (error) {
      await removeIfThere(aside);
      throw error instanceof AppError ? error : failure(error);
    }
  }

  /** Also what a process left that died while it wrote. */
  async #removeLeft(): Promise<void> {
    for await (const { name, isFile } of Deno.readDir(this.#folder)) {
      const path = join(this.#folder, name);
      if (!isFile) continue;
      const { mtime } = await Deno.lstat(path);
      if (mtime !== null && Date.now() - mtime.getTime() > LEFT_AFTER_MS) await removeIfThere(path);
    }
  }
}

async function write(
  path: string,
  body: AsyncIterable<Uint8Array>,
  options: ReceiveOptions,
): Promise<string> {
  const hash = await PrefixHash.create();
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  let done = 0;
  let lookAt = LOOK_BYTES;
  for await (const chunk of body) {
    if (done + chunk.length > lookAt) {
      await checkRoom(0, options);
      lookAt = done + LOOK_BYTES;
    }
    await writeAll(file, chunk);
    hash.offer(done, chunk);
    done += chunk.length;
  }
  await file.sync();
  return hash.digest();
}

async function checkRoom(needBytes: number, { freeBytes }: ReceiveOptions): Promise<void> {
  const free = await freeBytes();
  if (free === null || free >= needBytes + RESERVE_BYTES) return;
  throw new AppError(
    "disk_full",
    `Cannot take this file: it needs ${needBytes} bytes, and ${free} are free of which ${RESERVE_BYTES} are left alone. Make room and send it again`,
    { values: { need_bytes: needBytes, free_bytes: free } },
  );
}

function failure(error: unknown): unknown {
  // The file system's own word; Deno has no class for it.
  if (error instanceof Error && /ENOSPC|os error 28/i.test(error.message)) {
    return new AppError("disk_full", "Cannot take this file: the disk is full. Make room first", {
      cause: error,
    });
  }
  return error;
}

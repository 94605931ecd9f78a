// Unpacks the archives that llama.cpp builds come in. Everything in them is a stranger's: only
// plain files and folders with plain names are made, inside one folder, within limits.

import { basename, join } from "node:path";
import { AppError } from "../errors.ts";
import type { ArchiveEntry, ArchiveReading } from "./archive_entry.ts";
import { writeAll } from "../durable_write.ts";
import { readTar } from "./tar_reader.ts";
import { readZip } from "./zip_reader.ts";

export interface ArchiveLimits {
  entries: number;
  /** Unpacked, all files together, padding included. */
  sizeBytes: number;
  /** Unpacked size over packed size. */
  ratio: number;
}

export const ARCHIVE_LIMITS: Readonly<ArchiveLimits> = {
  entries: 2_000,
  sizeBytes: 4 * 1024 ** 3,
  ratio: 100,
};

export interface UnpackOptions {
  limits?: Partial<ArchiveLimits>;
  signal?: AbortSignal | undefined;
}

/**
 * Unpacks a `.tar.gz` or `.zip` into `folder`, which must be empty. Throws AppError
 * `download_failed` that names the entry; what was unpacked until then stays for the caller to
 * remove.
 */
export async function unpackArchive(
  path: string,
  folder: string,
  options: UnpackOptions = {},
): Promise<void> {
  using file = await Deno.open(path, { read: true });
  const { size } = await file.stat();
  const limits = { ...ARCHIVE_LIMITS, ...options.limits };
  const limitBytes = Math.min(limits.sizeBytes, limits.ratio * size + 64 * 1024);
  const refuse = (reason: string, cause?: unknown) =>
    new AppError("download_failed", `Cannot unpack "${basename(path)}": ${reason}`, { cause });
  const reading = { sizeBytes: size, limitBytes, refuse };
  const unpacking = new Unpacking(folder, limits.entries, limitBytes, refuse);
  const entries = path.endsWith(".zip") ? readZip(file, reading) : readTar(file, reading);
  for await (const entry of entries) {
    options.signal?.throwIfAborted();
    await unpacking.add(entry, options.signal);
  }
  await unpacking.finish(options.signal);
}

// One grammar on every system: no `..`, no drive, no device, no hidden file, no other separator.
const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,120}$/;
const WINDOWS_DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;
const DEEPEST = 4;
const LINK_HOPS = 8;

class Unpacking {
  readonly #folder: string;
  readonly #entriesLimit: number;
  readonly #limitBytes: number;
  readonly #refuse: ArchiveReading["refuse"];
  /** Lower-cased name -> how it was spelled and what it is. */
  readonly #names = new Map<string, { name: string; type: ArchiveEntry["type"] }>();
  readonly #links = new Map<string, string>();
  readonly #sizes = new Map<string, number>();
  #entries = 0;
  #sizeBytes = 0;

  constructor(
    folder: string,
    entriesLimit: number,
    limitBytes: number,
    refuse: ArchiveReading["refuse"],
  ) {
    this.#folder = folder;
    this.#entriesLimit = entriesLimit;
    this.#limitBytes = limitBytes;
    this.#refuse = refuse;
  }

  async add(entry: ArchiveEntry, signal: AbortSignal | undefined): Promise<void> {
    if (++this.#entries > this.#entriesLimit) {
      throw this.#refuse(`it has more than ${this.#entriesLimit} entries`);
    }
    const name = this.#plainName(entry.name, entry.type);
    if (name === "") return;
    const parts = name.split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      this.#register(parts.slice(0, depth).join("/"), "folder");
    }
    this.#register(name, entry.type);
    const path = join(this.#folder, ...parts);
    if (entry.type === "folder") await Deno.mkdir(path, { recursive: true });
    else await Deno.mkdir(join(path, ".."), { recursive: true });
    if (entry.type === "link") {
      // Not made: a copy of its target stands in for it once all files are there.
      if (!isSegment(entry.target)) {
        throw this.#refuse(`link "${entry.name}" leads out of its folder`);
      }
      this.#links.set(name, [...parts.slice(0, -1), entry.target].join("/"));
    } else if (entry.type === "file") {
      this.#count(entry.sizeBytes);
      this.#sizes.set(name, entry.sizeBytes);
      await this.#write(path, entry, signal);
    }
  }

  async finish(signal: AbortSignal | undefined): Promise<void> {
    for (const link of this.#links.keys()) {
      signal?.throwIfAborted();
      let target = link;
      for (let hops = 0; this.#links.has(target); hops++) {
        if (hops === LINK_HOPS) throw this.#refuse(`link "${link}" leads in a circle`);
        target = this.#links.get(target)!;
      }
      const sizeBytes = this.#sizes.get(target);
      if (sizeBytes === undefined) {
        throw this.#refuse(`link "${link}" leads to "${target}", which is no file of the archive`);
      }
      this.#count(sizeBytes);
      await Deno.copyFile(join(this.#folder, target), join(this.#folder, link));
    }
  }

  async #write(
    path: string,
    entry: ArchiveEntry & { type: "file" },
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const mode = entry.executable ? 0o755 : 0o644;
    using file = await Deno.open(path, { write: true, createNew: true, mode });
    let sizeBytes = 0;
    for await (const bytes of entry.content) {
      signal?.throwIfAborted();
      sizeBytes += bytes.length;
      if (sizeBytes > entry.sizeBytes) break;
      await writeAll(file, bytes);
    }
    if (sizeBytes !== entry.sizeBytes) {
      throw this.#refuse(`"${entry.name}" is not as long as the archive says`);
    }
  }

  #plainName(raw: string, type: ArchiveEntry["type"]): string {
    let name = raw.replace(/^(\.\/)+/, "");
    if (type === "folder") name = name.replace(/\/$/, "");
    // `./` itself, which `tar -C folder .` writes first.
    if (type === "folder" && (name === "" || name === ".")) return "";
    const parts = name.split("/");
    if (parts.length > DEEPEST || !parts.every(isSegment)) {
      throw this.#refuse(
        `entry ${JSON.stringify(raw.slice(0, 200))} has a name that is not allowed`,
      );
    }
    return name;
  }

  #register(name: string, type: ArchiveEntry["type"]): void {
    const known = this.#names.get(name.toLowerCase());
    if (known === undefined) {
      this.#names.set(name.toLowerCase(), { name, type });
    } else if (known.name !== name || known.type !== "folder" || type !== "folder") {
      throw this.#refuse(`"${name}" is in it twice`);
    }
  }

  #count(sizeBytes: number): void {
    this.#sizeBytes += sizeBytes;
    if (this.#sizeBytes > this.#limitBytes) {
      throw this.#refuse(`it unpacks to more than ${this.#limitBytes} bytes`);
    }
  }
}

function isSegment(part: string): boolean {
  return SEGMENT.test(part) && !part.endsWith(".") && !WINDOWS_DEVICE.test(part);
}

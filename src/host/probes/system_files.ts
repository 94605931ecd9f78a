// Small text files of the system (`/proc`, `/sys`, `/etc`), read under a root that a test can move.
// A file that is missing or cannot be read is null: what is unknown stays unknown.

import { join } from "node:path";

export class SystemFiles {
  readonly #root: string;

  /** `root` is put before every path; "" reads the machine itself. */
  constructor(root = "") {
    this.#root = root;
  }

  read(path: string): string | null {
    return this.#known(() => Deno.readTextFileSync(this.#root + path));
  }

  /** Like `read()`, on another thread: for what takes the kernel milliseconds. */
  async readAside(path: string): Promise<string | null> {
    try {
      return await Deno.readTextFile(this.#root + path);
    } catch (error) {
      if (error instanceof Error) return null;
      throw error;
    }
  }

  /** First line without its end, or null where the file is empty or unreadable. */
  readLine(path: string): string | null {
    const line = this.read(path)?.split("\n", 1)[0]?.trim();
    return line === undefined || line === "" ? null : line;
  }

  /** A whole decimal number, such as most files of `/sys` hold. */
  readNumber(path: string): number | null {
    return parseWhole(this.readLine(path));
  }

  exists(path: string): boolean {
    return this.#known(() => Deno.statSync(this.#root + path)) !== null;
  }

  /** User that owns the file; null where it is gone or the system has no such users. */
  owner(path: string): number | null {
    return this.#known(() => Deno.statSync(this.#root + path).uid);
  }

  /** Names in a folder, sorted; none where it cannot be read. */
  names(path: string): string[] {
    return this.#known(() =>
      [...Deno.readDirSync(join(this.#root, path))].map((entry) => entry.name)
    )
      ?.sort() ?? [];
  }

  /** `/proc` and `/sys` fail in many ways (ENODEV, EINVAL, ESRCH ...): each one means "not known". */
  #known<T>(read: () => T): T | null {
    try {
      return read();
    } catch (error) {
      if (error instanceof Error) return null;
      throw error;
    }
  }
}

/** A whole decimal number from 0, or null for any other text (`max`, `[N/A]`, nothing). */
export function parseWhole(text: string | null | undefined): number | null {
  const trimmed = text?.trim() ?? "";
  return /^\d{1,20}$/.test(trimmed) ? Number(trimmed) : null;
}

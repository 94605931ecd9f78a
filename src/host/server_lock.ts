// One server per home: the lock, and the note that tells a second start where the first one is.

import { join } from "node:path";
import { AppError, messageOf } from "../errors.ts";

/** What `<home>/run/server.json` holds. */
export interface ServerNote {
  address: string;
  pid: number;
}

const PAUSE_MS = 20;
/** By a server that holds the lock alone: one that was just killed may still be on its way out. */
const MOST_REFUSALS = 5;
/** A busy computer may keep one who looks from going on for seconds. */
const MOST_TRIES = 500;

/** Held while the server runs; the system frees it when the process ends, however it ends. */
export class ServerLock implements Disposable {
  readonly #dir: string;
  readonly #file: Deno.FsFile;

  private constructor(dir: string, file: Deno.FsFile) {
    this.#dir = dir;
    this.#file = file;
  }

  /** Throws `already_running`, naming the address, or `folder_unusable`. */
  static take(home: string): ServerLock {
    const dir = join(home, "run");
    let file: Deno.FsFile;
    try {
      Deno.mkdirSync(dir, { recursive: true, mode: 0o700 });
      file = Deno.openSync(join(dir, "lock"), { create: true, read: true, write: true });
    } catch (error) {
      const why = messageOf(error);
      throw new AppError(
        "folder_unusable",
        `Cannot write into "${home}": ${why}. Choose another folder with --home`,
        { cause: error, values: { path: home } },
      );
    }
    if (isTaken(file)) {
      const lock = new ServerLock(dir, file);
      // A server that was killed could not take its note back.
      lock.#removeNote();
      return lock;
    }
    file.close();
    const note = readServerNote(home);
    throw new AppError(
      "already_running",
      note === null
        ? `ZombieCoder is already starting with "${home}"`
        : `ZombieCoder is already running at ${note.address}`,
      { values: { address: note?.address ?? null } },
    );
  }

  /** Tells where the server is reached. */
  note(note: ServerNote): void {
    const path = join(this.#dir, "server.json");
    // Read by others at any moment: never half written.
    Deno.writeTextFileSync(`${path}.tmp`, JSON.stringify(note) + "\n");
    Deno.renameSync(`${path}.tmp`, path);
  }

  [Symbol.dispose](): void {
    this.#removeNote();
    this.#file.close();
  }

  #removeNote(): void {
    try {
      Deno.removeSync(join(this.#dir, "server.json"));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/**
 * Whoever looks whether a server runs shares the lock for a moment: that is none that runs, and is
 * waited for.
 */
function isTaken(file: Deno.FsFile): boolean {
  let refusals = 0;
  for (let tries = 0; tries < MOST_TRIES && refusals < MOST_REFUSALS; tries++) {
    if (tries > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    if (file.tryLockSync(true)) return true;
    if (file.tryLockSync(false)) file.unlockSync();
    else refusals++;
  }
  return false;
}

/** The note of a running server; null where there is none or it cannot be read. */
export function readServerNote(home: string): ServerNote | null {
  try {
    const note = JSON.parse(Deno.readTextFileSync(join(home, "run", "server.json")));
    if (typeof note?.address !== "string" || typeof note?.pid !== "number") return null;
    return { address: note.address, pid: note.pid };
  } catch {
    return null;
  }
}

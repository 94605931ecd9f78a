// The socket of one caged process. It listens in a folder of its own, the only one that it may write
// into; what the server connects to is a second name of that very socket, out of the process's reach.

import { join } from "node:path";
import { AppError, messageOf } from "../errors.ts";

export interface InstanceSocketOptions {
  /** Of the process alone; made anew. Null = it listens at `path` itself. */
  folder: string | null;
  /** Where the server connects. */
  path: string;
  /** What stands in the socket's place is none: the process must not go on. */
  onRefused(error: AppError): void;
}

/** Short: a path may have some 100 characters. llama-server knows a socket by this end. */
export const SOCKET_NAME = "s.sock";
/** For builds that do not say when they listen; half of the wait of instance.ts between two looks. */
const LOOK_MS = 250;

/** From before the start of a process until it is gone. */
export class InstanceSocket implements Disposable {
  readonly #options: InstanceSocketOptions;
  #timer: ReturnType<typeof setInterval> | null = null;

  /** Removes what an earlier process left: the next one would not start over it. */
  constructor(options: InstanceSocketOptions) {
    this.#options = options;
    const { folder, path } = options;
    removeIfThere(path);
    if (folder === null) return;
    emptyAway(folder);
    Deno.mkdirSync(folder, { mode: 0o700 });
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** Lets the server reach the process as soon as it listens; call it before the server is told so. */
  look(): void {
    const { folder, path, onRefused } = this.#options;
    if (folder === null || this.#timer === null) return;
    try {
      if (linkSocket(join(folder, SOCKET_NAME), path)) this[Symbol.dispose]();
    } catch (error) {
      this[Symbol.dispose]();
      if (!(error instanceof AppError)) throw error;
      onRefused(error);
    }
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

/**
 * Gives the socket a second name; false where there is none yet. A link to another socket, which the
 * server would follow, or anything else in its place is refused with `load_failed`: the name is given
 * to the thing itself, which is then looked at where the process cannot change it any more.
 */
export function linkSocket(inside: string, path: string): boolean {
  const aside = `${path}.new`;
  removeIfThere(aside);
  try {
    Deno.linkSync(inside, aside);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw refused(messageOf(error), error);
  }
  if (Deno.lstatSync(aside).isSocket !== true) {
    Deno.removeSync(aside);
    throw refused("it is not a socket");
  }
  Deno.renameSync(aside, path);
  return true;
}

function refused(reason: string, cause?: unknown): AppError {
  return new AppError(
    "load_failed",
    `Cannot connect to a model: what its process put in the place of its socket is refused (${reason})`,
    { cause },
  );
}

/** Removes a process's folder with all in it. Links in it are removed, not followed. */
export function emptyAway(folder: string): void {
  try {
    // The process may have closed it.
    if (Deno.lstatSync(folder).isDirectory) Deno.chmodSync(folder, 0o700);
    Deno.removeSync(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

// The file that a service consists of: only one that we wrote is changed or removed.

import { dirname } from "node:path";
import { durableWrite, removeIfThere } from "../../durable_write.ts";
import { AppError, messageOf } from "../../errors.ts";
import { MARK } from "./service_spec.ts";

export class OwnFile {
  readonly path: string;
  /** Folders that `write` made, the innermost first. */
  #made: string[] = [];

  constructor(path: string) {
    this.path = path;
  }

  /** Null where there is none. Throws `not_supported` where it is somebody else's. */
  async read(): Promise<string | null> {
    let text: string;
    try {
      text = await Deno.readTextFile(this.path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw this.#refusal(messageOf(error), error);
    }
    if (text.includes(MARK)) return text;
    throw this.#refusal("it was not written by zombiecoder");
  }

  async write(text: string): Promise<void> {
    const missing = await missingFolders(dirname(this.path));
    try {
      await Deno.mkdir(dirname(this.path), { recursive: true });
      this.#made = missing;
      await durableWrite(this.path, text);
    } catch (error) {
      await this.#removeMade();
      throw this.#refusal(messageOf(error), error);
    }
  }

  /** As it was before `write`, where `before` is what it held. */
  async undo(before: string | null): Promise<void> {
    if (before !== null) return await this.write(before);
    await this.remove();
    await this.#removeMade();
  }

  async remove(): Promise<void> {
    await removeIfThere(this.path);
  }

  async #removeMade(): Promise<void> {
    for (const folder of this.#made.splice(0)) {
      try {
        await Deno.remove(folder);
      } catch {
        // Somebody else has put something there meanwhile.
        return;
      }
    }
  }

  #refusal(why: string, cause?: unknown): AppError {
    return new AppError(
      "not_supported",
      `Cannot use "${this.path}" for the service: ${why}. Remove it and try again`,
      { cause, values: { path: this.path } },
    );
  }
}

/** Of this folder and those above it, the innermost first. */
async function missingFolders(folder: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = folder; dirname(at) !== at; at = dirname(at)) {
    try {
      await Deno.lstat(at);
      break;
    } catch (error) {
      // What cannot be looked at is there, or will not be made either.
      if (!(error instanceof Deno.errors.NotFound)) break;
    }
    missing.push(at);
  }
  return missing;
}

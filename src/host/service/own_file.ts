// The file that a service consists of: only one that we wrote is changed or removed.

import { dirname } from "node:path";
import { durableWrite, removeIfThere } from "../../durable_write.ts";
import { AppError, messageOf } from "../../errors.ts";
import { MARK } from "./service_spec.ts";

export class OwnFile {
  readonly path: string;

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
    try {
      await Deno.mkdir(dirname(this.path), { recursive: true });
      await durableWrite(this.path, text);
    } catch (error) {
      throw this.#refusal(messageOf(error), error);
    }
  }

  async remove(): Promise<void> {
    await removeIfThere(this.path);
  }

  #refusal(why: string, cause?: unknown): AppError {
    return new AppError(
      "not_supported",
      `Cannot use "${this.path}" for the service: ${why}. Remove it and try again`,
      { cause, values: { path: this.path } },
    );
  }
}

// Secrets that the user gives: the API key from its file or the environment, and tokens.

import { BadValue } from "./bad_value.ts";
import { messageOf } from "./errors.ts";
import type { Surroundings } from "./setting_kinds.ts";

/** 16 characters of base64 hold 96 bits: beyond guessing over a network. */
export const MIN_API_KEY_LENGTH = 16;

/** A key file is one line; what is larger is another file. */
const MAX_FILE_BYTES = 64 * 1_024;

/** From a flag: the first line of the file that it names. From the environment: the key itself. */
export function readApiKey(raw: unknown, surroundings: Surroundings): string {
  if (typeof raw !== "string") {
    throw new BadValue("the path of a file with the key in its first line");
  }
  const key = surroundings.source === "flag" ? firstLine(surroundings.absolute(raw)) : raw.trim();
  if (key.length < MIN_API_KEY_LENGTH) {
    throw new BadValue(
      `a key of at least ${MIN_API_KEY_LENGTH} characters; this one has ${key.length}`,
    );
  }
  return readSecret(key);
}

/** What can be sent in a header: visible ASCII characters. */
export function readSecret(text: string): string {
  if (!/^[\x21-\x7e]+$/.test(text)) {
    throw new BadValue("letters, digits and signs of ASCII, without spaces");
  }
  return text;
}

function firstLine(file: string): string {
  let text: string;
  try {
    if (Deno.statSync(file).size > MAX_FILE_BYTES) throw new BadValue("a file of at most 64 KiB");
    text = Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof BadValue) throw error;
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : messageOf(error);
    throw new BadValue(`the path of a readable file with the key in its first line; ${reason}`);
  }
  return (text.replace(/^\ufeff/, "").split(/\r?\n/, 1)[0] ?? "").trim();
}

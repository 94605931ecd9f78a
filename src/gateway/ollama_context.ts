// Ollama's `context`: a list of numbers that a client hands back to go on with a talk. Ours are not
// tokens: they hold the talk itself, so that no answer has to wait for a tokenizer.

import { AppError } from "../errors.ts";
import { isObject } from "./ollama_fields.ts";

export interface Turn {
  role: "user" | "assistant";
  content: string;
}

/** "zc1": what else begins otherwise is another server's. */
const MARK = 0x7a6331;
/** Clients in other languages keep each in 32 bits with a sign. */
const BYTES_EACH = 3;
/** A talk beyond it is not handed out: every answer would carry all of it. */
const MOST_BYTES = 256 * 1024;

/** Null where the talk is too long to be handed out. */
export function contextOf(turns: readonly Turn[]): number[] | null {
  const bytes = new TextEncoder().encode(JSON.stringify(turns));
  if (bytes.length > MOST_BYTES) return null;
  const numbers = [MARK];
  for (let at = 0; at < bytes.length; at += BYTES_EACH) {
    numbers.push(bytes[at]! | (bytes[at + 1] ?? 0) << 8 | (bytes[at + 2] ?? 0) << 16);
  }
  return numbers;
}

/** The talk in a context of ours. Throws `invalid_request` for any other list. */
export function turnsIn(context: readonly unknown[]): Turn[] {
  if (context.length === 0) return [];
  if (context[0] !== MARK) throw foreign();
  const bytes = new Uint8Array((context.length - 1) * BYTES_EACH);
  for (const [index, number] of context.slice(1).entries()) {
    if (!Number.isInteger(number) || (number as number) < 0 || (number as number) >= 2 ** 24) {
      throw foreign();
    }
    for (let byte = 0; byte < BYTES_EACH; byte++) {
      bytes[index * BYTES_EACH + byte] = (number as number) >> (8 * byte) & 0xff;
    }
  }
  const turns = parsed(new TextDecoder().decode(bytes).replace(/\0+$/, ""));
  if (!Array.isArray(turns) || !turns.every(isTurn)) throw foreign();
  return turns.map(({ role, content }) => ({ role, content }));
}

function isTurn(value: unknown): value is Turn {
  return isObject(value) && (value.role === "user" || value.role === "assistant") &&
    typeof value.content === "string";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw foreign();
    throw error;
  }
}

function foreign(): AppError {
  return new AppError(
    "invalid_request",
    'Cannot go on from this "context": another server made it. Leave it out, or send the talk to /api/chat',
    { param: "context" },
  );
}

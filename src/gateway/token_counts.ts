// Token counts and speed from the end of an answer, without parsing it. The shapes are OpenAI's and llama-server's own.

export interface TokenCounts {
  promptTokens: number | null;
  completionTokens: number | null;
  /** While it was written, as llama-server counted; null for short answers, which say little. */
  tokensPerSecond: number | null;
}

/** As much of an answer's end as `tokensOf` needs: usage and timings stand last. */
export const TAIL_BYTES = 1_536;

/** Below it, the first token and chance weigh too much. */
const LEAST_TIMED_TOKENS = 32;

/**
 * What the end of an answer, whole JSON or the last events of a stream, says was read and written.
 * Null where it says nothing. A text in the answer cannot be mistaken: quotes in JSON strings are escaped.
 */
export function tokensOf(tail: Uint8Array | string): TokenCounts {
  const text = typeof tail === "string"
    ? tail.slice(-TAIL_BYTES)
    : new TextDecoder().decode(tail.subarray(Math.max(0, tail.length - TAIL_BYTES)));
  const completionTokens = lastNumber(text, '"completion_tokens"') ??
    lastNumber(text, '"tokens_predicted"') ?? lastNumber(text, '"predicted_n"');
  return {
    promptTokens: lastNumber(text, '"prompt_tokens"') ?? lastNumber(text, '"tokens_evaluated"') ??
      timedPrompt(text),
    completionTokens,
    tokensPerSecond: (completionTokens ?? 0) < LEAST_TIMED_TOKENS
      ? null
      : lastNumber(text, '"predicted_per_second"', isDecimal),
  };
}

// llama-server counts what it took from its cache apart.
function timedPrompt(text: string): number | null {
  const read = lastNumber(text, '"prompt_n"');
  return read === null ? null : read + (lastNumber(text, '"cache_n"') ?? 0);
}

function lastNumber(
  text: string,
  key: string,
  isPart: (code: number) => boolean = isDigit,
): number | null {
  const at = text.lastIndexOf(key);
  if (at < 0) return null;
  let index = skipSpace(text, at + key.length);
  if (text[index] !== ":") return null;
  index = skipSpace(text, index + 1);
  let end = index;
  while (end < text.length && isPart(text.charCodeAt(end))) end++;
  // At the very end the number may be cut off.
  return end === index || end === text.length ? null : Number(text.slice(index, end));
}

function skipSpace(text: string, index: number): number {
  while (text[index] === " ") index++;
  return index;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** A digit or a point. With an exponent it is no speed that any computer has. */
function isDecimal(code: number): boolean {
  return isDigit(code) || code === 46;
}

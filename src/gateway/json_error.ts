// Where a text stops being JSON, for the error's reader: JSON.parse itself says it only for some mistakes.

export interface JsonError {
  /** Characters before the mistake. */
  position: number;
  /** From 1. */
  line: number;
  column: number;
  /** A few characters from the mistake on; empty where the text ended too early. */
  excerpt: string;
}

const EXCERPT_CHARACTERS = 16;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;
const QUOTE = 34;
const BACKSLASH = 92;
const SPACE_CODE = 32;
const SPACE = /[ \t\r\n]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** The first place at which the text cannot be JSON any more; null where it is JSON. */
export function findJsonError(text: string): JsonError | null {
  const position = new Scanner(text).firstMistake();
  if (position === null) return null;
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < position; at = text.indexOf("\n", at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return {
    position,
    line,
    column: position - lineStart + 1,
    excerpt: text.slice(position, position + EXCERPT_CHARACTERS),
  };
}

type Expected = "value" | "value or ]" | "key" | "key or }" | "colon" | "more";

/** Goes through a text without recursion: depth is the sender's choice. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  firstMistake(): number | null {
    const open: ("[" | "{")[] = [];
    let expected: Expected = "value";
    for (;;) {
      this.#skip(SPACE);
      if (expected === "more" && open.length === 0) {
        return this.#at === this.#text.length ? null : this.#at;
      }
      const next = this.#text[this.#at];
      const inner = open.at(-1);
      if (
        (next === "]" && inner === "[" && (expected === "value or ]" || expected === "more")) ||
        (next === "}" && inner === "{" && (expected === "key or }" || expected === "more"))
      ) {
        open.pop();
        this.#at++;
        expected = "more";
      } else if (expected === "more") {
        if (next !== ",") return this.#at;
        this.#at++;
        expected = inner === "{" ? "key" : "value";
      } else if (expected === "colon") {
        if (next !== ":") return this.#at;
        this.#at++;
        expected = "value";
      } else if (expected === "key" || expected === "key or }") {
        if (!this.#string()) return this.#at;
        expected = "colon";
      } else if (next === "{" || next === "[") {
        open.push(next);
        this.#at++;
        expected = next === "{" ? "key or }" : "value or ]";
      } else {
        if (!(next === '"' ? this.#string() : this.#skip(NUMBER) || this.#skip(LITERAL))) {
          return this.#at;
        }
        expected = "more";
      }
    }
  }

  // By hand: a pattern for a string of megabytes would exhaust the stack of V8's matcher.
  #string(): boolean {
    if (this.#text[this.#at] !== '"') return false;
    this.#at++;
    while (this.#at < this.#text.length) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === QUOTE) {
        this.#at++;
        return true;
      }
      if (code < SPACE_CODE) return false;
      if (code !== BACKSLASH) this.#at++;
      else if (!this.#skip(ESCAPE)) return false;
    }
    return false;
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return false;
    this.#at += found[0].length;
    return true;
  }
}

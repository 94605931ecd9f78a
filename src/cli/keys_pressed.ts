// Bytes of a terminal as keys. A paste comes as one key, so that its lines are not taken for answers.

export type Key =
  | { readonly name: "text" | "paste"; readonly text: string }
  | { readonly name: KeyName };

type KeyName =
  | "enter"
  | "newline"
  | "backspace"
  | "delete"
  | "left"
  | "right"
  | "up"
  | "down"
  | "home"
  | "end"
  | "wordLeft"
  | "wordRight"
  | "eraseLine"
  | "eraseRest"
  | "eraseWord"
  | "clearScreen"
  | "interrupt"
  | "endOfInput"
  | "unknown";

const CONTROL: Readonly<Record<string, KeyName>> = {
  "\x01": "home",
  "\x02": "left",
  "\x03": "interrupt",
  "\x04": "endOfInput",
  "\x05": "end",
  "\x06": "right",
  "\x08": "backspace",
  "\x0a": "newline",
  "\x0b": "eraseRest",
  "\x0c": "clearScreen",
  "\x0d": "enter",
  "\x0e": "down",
  "\x10": "up",
  "\x15": "eraseLine",
  "\x17": "eraseWord",
  "\x7f": "backspace",
};

const SEQUENCES: Readonly<Record<string, KeyName>> = {
  "[A": "up",
  "[B": "down",
  "[C": "right",
  "[D": "left",
  "[H": "home",
  "[F": "end",
  "OA": "up",
  "OB": "down",
  "OC": "right",
  "OD": "left",
  "OH": "home",
  "OF": "end",
  "[1~": "home",
  "[3~": "delete",
  "[4~": "end",
  "[7~": "home",
  "[8~": "end",
  "[1;3C": "wordRight",
  "[1;3D": "wordLeft",
  "[1;5C": "wordRight",
  "[1;5D": "wordLeft",
  b: "wordLeft",
  f: "wordRight",
  "\r": "newline",
  "\n": "newline",
  "\x7f": "eraseWord",
};

const PASTE_START = "\x1b[200~";
const PASTE_END = "\x1b[201~";
/** CSI, SS3, or one sign after Escape. */
// deno-lint-ignore no-control-regex
const ESCAPE = /^\x1b(\[[0-?]*[ -/]*[@-~]|O[ -~]|[^[O])/;
// deno-lint-ignore no-control-regex
const UNFINISHED = /^\x1b(?:\[[0-?]*[ -/]*|O)?$/;
// deno-lint-ignore no-control-regex
const TEXT = /^[^\x00-\x08\x0a-\x1f\x7f-\x9f]+/;

/** Keeps what is not whole yet: a letter of several bytes, a sequence, a paste. */
export class KeyDecoder {
  readonly #decoder = new TextDecoder();
  #rest = "";

  keysOf(bytes: Uint8Array): Key[] {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    const keys: Key[] = [];
    while (this.#rest !== "") {
      const key = this.#next();
      if (key === null) break;
      keys.push(key);
    }
    return keys;
  }

  #next(): Key | null {
    if (this.#rest.startsWith(PASTE_START)) {
      const end = this.#rest.indexOf(PASTE_END);
      if (end < 0) return null;
      const text = this.#take(end + PASTE_END.length).slice(PASTE_START.length, end);
      return { name: "paste", text: text.replace(/\r\n?/g, "\n") };
    }
    const text = TEXT.exec(this.#rest)?.[0];
    if (text !== undefined) return { name: "text", text: this.#take(text.length) };
    if (this.#rest[0] !== "\x1b") return { name: CONTROL[this.#take(1)] ?? "unknown" };
    // Escape by itself does nothing here, so it may wait for what follows.
    if (UNFINISHED.test(this.#rest)) return null;
    const sequence = ESCAPE.exec(this.#rest)?.[0];
    const taken = this.#take(sequence?.length ?? 1);
    return { name: SEQUENCES[taken.slice(1)] ?? "unknown" };
  }

  #take(length: number): string {
    const taken = this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length);
    return taken;
  }
}

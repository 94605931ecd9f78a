// The text that is being written at the prompt, its cursor, and what was written before.

import type { Key } from "./keys_pressed.ts";
import { plainText } from "./plain_text.ts";

/** What a key did: text changed or cursor moved, or the line is asked for, or the way out. */
export type Pressed = "changed" | "line" | "interrupt" | "end" | "clear" | "nothing";

const MOST_KEPT = 500;
const graphemes = new Intl.Segmenter();

export class LineEditor {
  #text = "";
  #cursor = 0;
  readonly #history: string[] = [];
  /** Index into the history; its length = what is written now. */
  #at = 0;
  #draft = "";

  get text(): string {
    return this.#text;
  }

  /** Index into the text, always between two whole signs. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Ends the line and keeps it. */
  take(): string {
    const text = this.#text;
    if (text.trim() !== "" && this.#history.at(-1) !== text) this.#history.push(text);
    if (this.#history.length > MOST_KEPT) this.#history.shift();
    this.clear();
    return text;
  }

  clear(): void {
    this.#set("");
    this.#at = this.#history.length;
    this.#draft = "";
  }

  press(key: Key): Pressed {
    switch (key.name) {
      case "text":
      case "paste":
        return this.#insert(plainText(key.text));
      case "newline":
        return this.#insert("\n");
      case "enter":
        return "line";
      case "interrupt":
        return "interrupt";
      case "clearScreen":
        return "clear";
      case "endOfInput":
        return this.#text === "" ? "end" : this.#erase(this.#cursor, this.#next());
      case "backspace":
        return this.#erase(this.#previous(), this.#cursor);
      case "delete":
        return this.#erase(this.#cursor, this.#next());
      case "eraseWord":
        return this.#erase(this.#wordStart(), this.#cursor);
      case "eraseLine":
        return this.#erase(0, this.#cursor);
      case "eraseRest":
        return this.#erase(this.#cursor, this.#text.length);
      case "left":
        return this.#move(this.#previous());
      case "right":
        return this.#move(this.#next());
      case "wordLeft":
        return this.#move(this.#wordStart());
      case "wordRight":
        return this.#move(this.#wordEnd());
      case "home":
        return this.#move(0);
      case "end":
        return this.#move(this.#text.length);
      case "up":
        return this.#recall(this.#at - 1);
      case "down":
        return this.#recall(this.#at + 1);
      case "unknown":
        return "nothing";
    }
  }

  #set(text: string): void {
    this.#text = text;
    this.#cursor = text.length;
  }

  #insert(text: string): Pressed {
    this.#text = this.#text.slice(0, this.#cursor) + text + this.#text.slice(this.#cursor);
    this.#cursor += text.length;
    return "changed";
  }

  #erase(start: number, end: number): Pressed {
    if (start === end) return "nothing";
    this.#text = this.#text.slice(0, start) + this.#text.slice(end);
    this.#cursor = start;
    return "changed";
  }

  #move(cursor: number): Pressed {
    if (cursor === this.#cursor) return "nothing";
    this.#cursor = cursor;
    return "changed";
  }

  #recall(at: number): Pressed {
    if (at < 0 || at > this.#history.length) return "nothing";
    if (this.#at === this.#history.length) this.#draft = this.#text;
    this.#at = at;
    this.#set(this.#history[at] ?? this.#draft);
    return "changed";
  }

  // One sign for the eye: a Bengali letter with its vowel signs, an emoji of several code points.
  #previous(): number {
    return graphemes.segment(this.#text).containing(this.#cursor - 1)?.index ?? 0;
  }

  #next(): number {
    const found = graphemes.segment(this.#text).containing(this.#cursor);
    return found === undefined ? this.#text.length : found.index + found.segment.length;
  }

  #wordStart(): number {
    return /\S*\s*$/.exec(this.#text.slice(0, this.#cursor))!.index;
  }

  #wordEnd(): number {
    return this.#cursor + /^\s*\S*/.exec(this.#text.slice(this.#cursor))![0].length;
  }
}

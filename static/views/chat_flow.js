// A model's text as elements, piece by piece: blocks that are finished are made once, only the open one
// again.

import { codeBox, wordOf } from "./chat_markdown.js";

/** @import { MarkedToken, Token } from "marked" */
/** @import { Markdown } from "./chat_markdown.js" */

/** So much of a text is taken at once: what it costs stays below a frame. */
const PIECE = 400;
/** An open block this long is finished as far as that can be told. */
const LONG_BLOCK = 3_000;
/** Beyond it, even where it cannot be told. */
const TOO_LONG_BLOCK = 9_000;
/** The open block is drawn so often at most: what is made anew each time has to be cleared away. */
const OPEN_MS = 33;
/** Of the time, so much goes into drawing the open block at most. */
const OPEN_SHARE = 0.1;

const FENCE = /^ {0,3}(`{3,}|~{3,})([^\n`]*)\n/;

/** Draws a text that may still grow into an element of its own. */
export class MarkdownFlow {
  #markdown;
  #finished = document.createElement("div");
  #open = document.createElement("div");
  /** Not looked at yet. */
  #waiting = "";
  /** The block that is not finished. */
  #block = "";
  /** What of a long paragraph is finished already. @type {HTMLParagraphElement | null} */
  #paragraph = null;
  /** Code whose fence is not closed yet. @type {OpenCode | null} */
  #code = null;
  #dueMs = 0;

  /**
   * @param {Markdown} markdown
   * @param {HTMLElement} root
   */
  constructor(markdown, root) {
    this.#markdown = markdown;
    this.#finished.className = "markdown-finished";
    this.#open.className = "markdown-open";
    root.replaceChildren(this.#finished, this.#open);
  }

  /** @param {string} text */
  append(text) {
    this.#waiting += text.replaceAll("\r", "");
  }

  /**
   * Draws what came, or as much of it as there is time for. True when all is drawn.
   *
   * @param {{ untilMs?: number, isLast?: boolean }} [options] `isLast`: nothing more will come.
   */
  draw({ untilMs = Infinity, isLast = false } = {}) {
    while (this.#waiting !== "" && performance.now() < untilMs) {
      const piece = this.#waiting.slice(0, PIECE);
      this.#waiting = this.#waiting.slice(piece.length);
      this.#block += piece;
      this.#settle();
    }
    const isWhole = this.#waiting === "";
    if (isLast && isWhole) {
      this.#finishAll();
      return true;
    }
    if (this.#code !== null) return isWhole;
    const startMs = performance.now();
    if (startMs < this.#dueMs) return false;
    this.#drawOpen();
    this.#dueMs = startMs + Math.max(OPEN_MS, (performance.now() - startMs) / OPEN_SHARE);
    return isWhole;
  }

  /** Makes blocks that nothing can change any more. */
  #settle() {
    for (;;) {
      if (this.#code !== null && !this.#continueCode()) return;
      if (this.#paragraph === null && this.#beginCode()) continue;
      const tokens = this.#markdown.lex(this.#block);
      const last = tokens.findLastIndex(({ type }) => type !== "space");
      if (last > 0) {
        const done = tokens.slice(0, last);
        if (!this.#take(done)) return;
        continue;
      }
      if (last === 0) this.#shorten(/** @type {MarkedToken} */ (tokens[0]));
      return;
    }
  }

  /**
   * @param {Token[]} tokens
   * @returns {boolean} False where what they say of themselves is not how the text begins.
   */
  #take(tokens) {
    const raw = tokens.map((token) => token.raw).join("");
    if (!this.#block.startsWith(raw) || raw === "") return false;
    this.#block = this.#block.slice(raw.length);
    this.#finish(tokens);
    return true;
  }

  /** @param {Token[]} tokens */
  #finish(tokens) {
    const [first, ...rest] = tokens;
    this.#dropRest();
    if (this.#paragraph !== null && first?.type === "paragraph") {
      this.#paragraph.append(this.#markdown.drawInline(first.tokens ?? []));
      this.#paragraph = null;
      this.#finished.append(this.#markdown.draw(rest));
      return;
    }
    this.#paragraph = null;
    this.#finished.append(this.#markdown.draw(tokens));
  }

  /**
   * Finishes the beginning of a block that grows long.
   *
   * @param {MarkedToken} token
   */
  #shorten(token) {
    if (token.raw.length < LONG_BLOCK) return;
    if (token.type === "list" && token.items.length > 1) {
      const items = token.items.slice(0, -1);
      this.#take([{ ...token, items, raw: items.map(({ raw }) => raw).join("") }]);
    }
    if (token.type !== "paragraph") return;
    const cut = cutOf(token.raw);
    if (cut === 0) return;
    const begun = this.#markdown.lex(this.#block.slice(0, cut));
    const [only] = begun;
    if (begun.length !== 1 || only?.type !== "paragraph") return;
    if (this.#paragraph === null) {
      this.#paragraph = document.createElement("p");
      this.#finished.append(this.#paragraph);
    }
    this.#dropRest();
    this.#paragraph.append(this.#markdown.drawInline(only.tokens ?? []), " ");
    this.#block = this.#block.slice(cut).replace(/^ /, "");
  }

  #beginCode() {
    const found = FENCE.exec(this.#block);
    if (found === null) return false;
    const [head, fence = "", info] = found;
    const { box, code } = codeBox(wordOf(info));
    this.#finished.append(box);
    const text = document.createTextNode("");
    code.append(text);
    this.#code = {
      text,
      isMidLine: false,
      end: new RegExp(`^ {0,3}\\${fence[0]}{${fence.length},}[ \\t]*$`),
    };
    this.#block = this.#block.slice(head.length);
    this.#open.replaceChildren();
    return true;
  }

  /** True when the fence is closed. */
  #continueCode() {
    const code = /** @type {OpenCode} */ (this.#code);
    const { text, end } = code;
    let from = 0;
    for (;;) {
      const line = this.#block.indexOf("\n", from);
      if (line < 0) break;
      const isRest = from === 0 && code.isMidLine;
      if (!isRest && end.test(this.#block.slice(from, line))) {
        text.appendData(this.#block.slice(0, from));
        trimEnd(text);
        this.#block = this.#block.slice(line + 1);
        this.#code = null;
        return true;
      }
      from = line + 1;
    }
    // The last line may become the closing fence.
    const isRest = from === 0 && code.isMidLine;
    const mayClose = !isRest && /^ {0,3}[`~]*[ \t]*$/.test(this.#block.slice(from));
    const shown = this.#block.slice(0, mayClose ? from : undefined);
    text.appendData(shown);
    if (shown !== "") code.isMidLine = !shown.endsWith("\n");
    this.#block = this.#block.slice(shown.length);
    return false;
  }

  #drawOpen() {
    const tokens = this.#markdown.lex(this.#block);
    const [first] = tokens;
    if (this.#paragraph !== null && first?.type === "paragraph") {
      const rest = document.createElement("span");
      rest.className = "markdown-rest";
      rest.append(this.#markdown.drawInline(first.tokens ?? []));
      this.#dropRest();
      this.#paragraph.append(rest);
      this.#open.replaceChildren();
      return;
    }
    this.#open.replaceChildren(this.#markdown.draw(tokens));
  }

  /** The open end of a long paragraph. */
  #dropRest() {
    const last = this.#paragraph?.lastElementChild;
    if (last?.className === "markdown-rest") last.remove();
  }

  #finishAll() {
    if (this.#code !== null) {
      const { text, end, isMidLine } = this.#code;
      if (isMidLine || !end.test(this.#block)) text.appendData(this.#block);
      trimEnd(text);
      this.#code = null;
    } else if (this.#block.trim() !== "") this.#finish(this.#markdown.lex(this.#block));
    this.#block = "";
    this.#paragraph = null;
    this.#open.replaceChildren();
  }
}

/** @typedef {{ text: Text, end: RegExp, isMidLine: boolean }} OpenCode */

/**
 * Where a paragraph can be cut: at a space before a letter, with no mark left open.
 *
 * @param {string} text
 */
function cutOf(text) {
  const open = { "`": 0, "*": 0, "_": 0, "~": 0, "[": 0, "<": 0 };
  const most = text.length - 200;
  let cut = 0;
  let last = 0;
  for (let at = 0; at < most; at++) {
    const sign = text[at] ?? "";
    if (sign === " " && /\p{L}/u.test(text[at + 1] ?? "") && text[at - 1] !== " ") {
      last = at;
      const { "[": brackets, "<": angles, ...marks } = open;
      const isClosed = brackets <= 0 && angles <= 0 &&
        Object.values(marks).every((n) => n % 2 === 0);
      if (isClosed) cut = at;
    } else if (sign === "]") open["["]--;
    else if (sign === ">") open["<"]--;
    else if (Object.hasOwn(open, sign)) open[/** @type {keyof typeof open} */ (sign)]++;
  }
  return cut > 0 ? cut : text.length > TOO_LONG_BLOCK ? last : 0;
}

/** @param {Text} text */
function trimEnd(text) {
  if (text.data.endsWith("\n")) text.data = text.data.slice(0, -1);
}

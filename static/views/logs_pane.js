// Lines as they come, in an element: the last 10,000 of them, written once per frame. What they are and
// where they come from is for those who add them.

import { signal } from "@preact/signals";

const MOST_LINES = 10_000;
const BLOCK_LINES = 200;
/** More in one frame would be felt. */
const FRAME_LINES = 1_000;

export class LogPane {
  /** New lines are scrolled to. */
  follow = signal(true);
  isPaused = signal(false);
  /** Lines that wait for the end of the pause. */
  heldCount = signal(0);
  /** Lines that are shown. */
  shownCount = signal(0);
  /** @type {HTMLElement | null} */
  #box = null;
  /** All that are kept, the oldest first. @type {string[]} */
  #lines = [];
  /** Of those the ones that are not written yet. */
  #unwritten = 0;
  /** @type {string[]} */
  #held = [];
  #filter = "";
  #frame = 0;
  /** @type {HTMLElement | null} */
  #block = null;
  #blockLines = 0;
  #isScrolling = false;

  /** @param {HTMLElement | null} box Null where it is gone. */
  attach(box) {
    if (this.#box === box) return;
    this.#box?.removeEventListener("scroll", this.#scrolled);
    this.#box = box;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (box === null) return;
    box.addEventListener("scroll", this.#scrolled, { passive: true });
    this.#rewrite();
  }

  /** @param {readonly string[]} lines */
  add(lines) {
    if (this.isPaused.peek()) {
      this.#held.push(...lines);
      if (this.#held.length > MOST_LINES) this.#held = this.#held.slice(-MOST_LINES);
    } else {
      this.#keep(lines);
    }
    this.#wake();
  }

  clear() {
    this.#lines = [];
    this.#held = [];
    this.#rewrite();
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.isPaused.value = paused;
    if (!paused) {
      this.#keep(this.#held);
      this.#held = [];
    }
    this.#wake();
  }

  /** @param {string} words Only lines with these are shown, in any letter case. */
  filter(words) {
    const wanted = words.trim().toLowerCase();
    if (wanted === this.#filter) return;
    this.#filter = wanted;
    this.#rewrite();
  }

  /** @param {boolean} on */
  setFollow(on) {
    this.follow.value = on;
    if (on) this.#scrollDown();
  }

  /** What is shown, also what is not drawn yet. */
  text() {
    return this.#lines.filter((line) => this.#isWanted(line)).map((line) => `${line}\n`).join("");
  }

  /** @param {readonly string[]} lines */
  #keep(lines) {
    for (const line of lines) this.#lines.push(line);
    this.#unwritten += lines.length;
    // In large steps: dropping the first of many with each line would move them all.
    if (this.#lines.length >= MOST_LINES + 1_000) this.#lines = this.#lines.slice(-MOST_LINES);
    this.#unwritten = Math.min(this.#unwritten, this.#lines.length);
  }

  #rewrite() {
    this.#box?.replaceChildren();
    this.#block = null;
    this.#blockLines = 0;
    this.#unwritten = this.#lines.length;
    this.shownCount.value = 0;
    this.#wake();
  }

  #wake() {
    if (this.#box === null || this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => this.#write());
  }

  #write() {
    this.#frame = 0;
    const box = this.#box;
    if (box === null) return;
    this.heldCount.value = this.#held.length;
    const start = this.#lines.length - this.#unwritten;
    const batch = this.#lines.slice(start, start + FRAME_LINES);
    this.#unwritten -= batch.length;
    const wanted = batch.filter((line) => this.#isWanted(line));
    for (const line of wanted) this.#append(line);
    let shown = this.shownCount.peek() + wanted.length;
    while (shown > MOST_LINES && box.firstElementChild !== this.#block) {
      box.firstElementChild?.remove();
      shown -= BLOCK_LINES;
    }
    this.shownCount.value = shown;
    if (this.follow.peek() && wanted.length > 0) this.#scrollDown();
    if (this.#unwritten > 0) this.#wake();
  }

  /** @param {string} line */
  #append(line) {
    if (this.#block === null || this.#blockLines === BLOCK_LINES) {
      this.#block = document.createElement("div");
      this.#block.className = "log-block";
      this.#box?.append(this.#block);
      this.#blockLines = 0;
    }
    this.#blockLines++;
    const tone = toneOf(line);
    if (tone !== null) {
      const span = document.createElement("span");
      span.className = tone;
      span.textContent = `${line}\n`;
      this.#block.append(span);
      return;
    }
    const last = this.#block.lastChild;
    if (last instanceof Text) last.appendData(`${line}\n`);
    else this.#block.append(`${line}\n`);
  }

  /** @param {string} line */
  #isWanted(line) {
    return this.#filter === "" || line.toLowerCase().includes(this.#filter);
  }

  #scrollDown() {
    if (this.#box === null) return;
    const before = this.#box.scrollTop;
    this.#box.scrollTop = this.#box.scrollHeight;
    // Else no event comes that tells of it.
    if (this.#box.scrollTop !== before) this.#isScrolling = true;
  }

  /** Whoever scrolls up wants to read; whoever comes back to the end wants to follow. */
  #scrolled = () => {
    const box = this.#box;
    if (box === null) return;
    const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
    if (isAtEnd) this.#isScrolling = false;
    if (!this.#isScrolling || isAtEnd) this.follow.value = isAtEnd;
  };
}

/** @param {string} line */
function toneOf(line) {
  if (/^\S+ (?:error|E) |\berror\b|\bfailed\b/i.test(line)) return "log-error";
  return /^\S+ (?:warn|W) |\bwarn(ing)?\b/i.test(line) ? "log-warn" : null;
}

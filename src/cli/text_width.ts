// How many columns of a terminal a text takes. Bengali vowel signs that stand beside their letter take
// one, marks above and below none, Chinese, Japanese, Korean and emoji two.

const NONE = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]$/u;
const EMOJI = /^\p{Emoji_Presentation}$/u;
const FLAG_HALF = /^[\u{1f1e6}-\u{1f1ff}]$/u;
const SKIN = /^[\u{1f3fb}-\u{1f3ff}]$/u;
const JOINER = "\u200d";

/** First and last code point of what is wide and no emoji: East Asian Width W and F. */
const WIDE: readonly (readonly [first: number, last: number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18dff],
  [0x1aff0, 0x1b2ff],
  [0x1f200, 0x1f265],
  [0x20000, 0x3fffd],
];

export function textWidth(text: string): number {
  // Most texts.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  let before = "";
  for (const sign of text) {
    // What is joined to an emoji, or colours it, is drawn in its place.
    const isPart = SKIN.test(sign) && EMOJI.test(before) || before === JOINER && EMOJI.test(sign);
    if (!isPart) width += widthOf(sign);
    before = sign;
  }
  return width;
}

function widthOf(sign: string): number {
  const code = sign.codePointAt(0)!;
  if (code < 0x300) return code === 0xad || code >= 0x20 && !(code >= 0x7f && code < 0xa0) ? 1 : 0;
  if (NONE.test(sign)) return 0;
  if (FLAG_HALF.test(sign)) return 1;
  if (EMOJI.test(sign)) return 2;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}

const graphemes = new Intl.Segmenter();

/** The text, or as much of its beginning as `columns` hold together with an ellipsis. */
export function cutToWidth(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let cut = "";
  let width = 0;
  for (const { segment } of graphemes.segment(text)) {
    width += textWidth(segment);
    if (width > columns - 1) break;
    cut += segment;
  }
  return columns < 1 ? "" : `${cut}…`;
}

/** With spaces up to `columns`. */
export function padToWidth(text: string, columns: number, side: "left" | "right"): string {
  const gap = " ".repeat(Math.max(0, columns - textWidth(text)));
  return side === "left" ? text + gap : gap + text;
}

// Texts from models, the Hub and files' names, without what a terminal would obey.

// deno-lint-ignore no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
// Marks that turn the order of what is read around: in a name they only deceive.
const TURNS = /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Keeps line ends and tabs. */
export function plainText(text: string): string {
  return text.replace(CONTROLS, "");
}

/** A name or a sentence, on one line. */
export function plainLine(text: string): string {
  return plainText(text.replace(/[\r\n\t]+/g, " ")).replace(TURNS, "");
}

/** JSON that is safe to look at: the same value, with every control character escaped. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

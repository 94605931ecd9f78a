// The text fields of a multipart form, found in the body's bytes; the form itself is passed on untouched.

import { AppError } from "../errors.ts";

/** A field is a word or two: what is longer is none. */
const LONGEST_FIELD_BYTES = 4_096;
const MOST_FIELDS = 100;
const LONGEST_HEAD_BYTES = 8_192;
const CR = 13;
const LF = 10;
const DASH = 45;
/** One character per byte. */
const latin1 = new TextDecoder("latin1");

/**
 * By name, the first of each. What files hold is passed over, and so is a text that is no field's.
 *
 * Errors: `invalid_request` where the body is no multipart form.
 */
export function formFields(body: Uint8Array, contentType: string | null): Map<string, string> {
  const boundary = boundaryOf(contentType);
  if (boundary === null) {
    throw new AppError("invalid_request", "Cannot read the body: send it as multipart/form-data");
  }
  const mark = new TextEncoder().encode(`--${boundary}`);
  const fields = new Map<string, string>();
  let at = startsWith(body, mark, 0) ? mark.length : nextMark(body, { mark, from: 0 });
  if (at === null) throw incomplete();
  // After the last mark come two dashes.
  while (body[at] !== DASH) {
    const { name, end: start } = headAt(body, at);
    const end = nextMark(body, { mark, from: start });
    if (end === null) throw incomplete();
    const value = body.subarray(start, end - mark.length - 2);
    if (name !== null && value.length <= LONGEST_FIELD_BYTES && !fields.has(name)) {
      if (fields.size >= MOST_FIELDS) throw incomplete();
      fields.set(name, new TextDecoder().decode(value));
    }
    at = end;
  }
  return fields;
}

function boundaryOf(contentType: string | null): string | null {
  if (!/^multipart\/form-data\s*;/i.test(contentType ?? "")) return null;
  const found = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType!);
  return found?.[1] ?? found?.[2] ?? null;
}

// The lines between a mark and the empty one.
function headAt(body: Uint8Array, from: number): { name: string | null; end: number } {
  const head = latin1.decode(body.subarray(from, from + LONGEST_HEAD_BYTES));
  const length = head.indexOf("\r\n\r\n");
  if (length < 0) throw incomplete();
  const text = head.slice(0, length);
  const found = /^content-disposition:[^\r\n]*?;\s*name=(?:"([^"\r\n]*)"|([^\s;"]+))/im.exec(text);
  const isFile = /^content-disposition:[^\r\n]*;\s*filename\*?=/im.test(text);
  return { name: isFile ? null : found?.[1] ?? found?.[2] ?? null, end: from + length + 4 };
}

/** Where the next line that is the mark ends; null where there is none. */
function nextMark(
  body: Uint8Array,
  { mark, from }: { mark: Uint8Array; from: number },
): number | null {
  // Byte by byte: sound may be full of line breaks, and a search for each would cost more.
  for (let at = from; at < body.length; at++) {
    if (body[at] !== CR || body[at + 1] !== LF) continue;
    if (startsWith(body, mark, at + 2)) return at + 2 + mark.length;
  }
  return null;
}

function startsWith(body: Uint8Array, mark: Uint8Array, at: number): boolean {
  for (let index = 0; index < mark.length; index++) {
    if (body[at + index] !== mark[index]) return false;
  }
  return true;
}

function incomplete(): AppError {
  return new AppError("invalid_request", "Cannot read the body: the form in it is not complete");
}

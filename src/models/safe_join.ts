// The one place where a name from outside becomes a path. Deno's grants follow links, so what lies
// at the path is looked at component by component, and a link is refused.

import { isAbsolute, join, relative, sep } from "node:path";

import { AppError } from "../errors.ts";

const MOST_SEGMENTS = 4;

/** Bytes of one segment in UTF-8; file systems take 255, and `.part` must still fit behind it. */
const SEGMENT_BYTES = 200;

// Letters, marks and digits of any script (Bengali names are names), the joiners that Bengali
// needs, and few signs. No separator, colon, control character or look-alike of a slash is in it.
const SEGMENT = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}\u200C\u200D ._+()@=-]*$/u;

// Windows opens a device for these, whatever the extension.
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])($|[ .])/i;

/**
 * The path of `name` under `root`: one to four segments between `/`. Nothing needs to exist there;
 * `root` itself is trusted.
 *
 * @throws {AppError} `invalid_request`, with the same words whatever is wrong: an answer must not
 * tell what exists on the disk (S5 of the security notes).
 */
export function safeJoin(root: string, name: string): string {
  const segments = name.split("/");
  if (segments.length > MOST_SEGMENTS || !segments.every(isSafeSegment)) throw refusal(name);
  const path = join(root, ...segments);
  if (!isInside(root, path) || hasLink(root, path)) throw refusal(name);
  return path;
}

/** Whether `name` can be one file or folder name on every system. */
export function isSafeSegment(name: string): boolean {
  return SEGMENT.test(name) && !/[. ]$/.test(name) && !name.includes("..") &&
    !DEVICE.test(name) && new TextEncoder().encode(name).length <= SEGMENT_BYTES;
}

/** Whether `path` lies under `root`, by its words alone; a root does not lie in itself. */
export function isInside(root: string, path: string): boolean {
  const rest = relative(root, path);
  return rest !== "" && rest !== ".." && !rest.startsWith(`..${sep}`) && !isAbsolute(rest);
}

/** Whether any component between `root` and the end of `path` is a link, or cannot be looked at. */
export function hasLink(root: string, path: string): boolean {
  let at = root;
  for (const segment of relative(root, path).split(sep).filter((part) => part !== "")) {
    at = join(at, segment);
    try {
      if (Deno.lstatSync(at).isSymlink) return true;
    } catch (error) {
      // Below what does not exist there is nothing to follow; anything else is not ours to enter.
      return !(error instanceof Deno.errors.NotFound);
    }
  }
  return false;
}

function refusal(name: string): AppError {
  const shown = JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}...` : name);
  return new AppError(
    "invalid_request",
    `Cannot use ${shown} as a file name. Use letters, digits, ".", "-" and "_", at most ${MOST_SEGMENTS} parts between "/", and no links`,
    { values: { name: name.slice(0, 100) } },
  );
}

// Where a path really leads on this disk, and what of it lies in a folder.

import { posix, win32 } from "node:path";

/** As many links as the system itself follows. */
const MOST_LINKS = 40;

export interface RealPlaceOptions {
  /** `linux`, `darwin`, `windows`. */
  os?: string;
  linksLeft?: number;
}

/** The real path, or where it would be: what does not exist lies in the nearest that does. */
export function realPlace(
  path: string,
  { os = Deno.build.os, linksLeft = MOST_LINKS }: RealPlaceOptions = {},
): string {
  const { basename, dirname, join, resolve } = pathsOf(os);
  const missing: string[] = [];
  for (let at = path;; at = dirname(at)) {
    const real = orNull(() => Deno.realPathSync(at));
    if (real !== null) return join(real, ...missing);
    const target = linksLeft > 0 ? orNull(() => Deno.readLinkSync(at)) : null;
    if (target !== null) {
      // To a drive that is not there yet, say.
      const place = resolve(dirname(at), target);
      return join(realPlace(place, { os, linksLeft: linksLeft - 1 }), ...missing);
    }
    if (dirname(at) === at) return path;
    missing.unshift(basename(at));
  }
}

/**
 * True where `inner` is `outer` or below it, on the disk as it is: links are followed, and one that lies
 * there itself counts as well, since whoever can write there can lead it elsewhere.
 */
export function holdsPlace(outer: string, inner: string, os: string): boolean {
  const paths = pathsOf(os);
  const folder = comparable(realPlace(outer, { os }), os);
  return placesOf(inner, os).some((place) => {
    const way = paths.relative(folder, comparable(place, os));
    return !paths.isAbsolute(way) && way !== ".." && !way.startsWith(`..${paths.sep}`);
  });
}

/** Where each name on the way of a path is kept, and where the whole of it leads. */
function placesOf(path: string, os: string): string[] {
  const { basename, dirname, join } = pathsOf(os);
  const places = [realPlace(path, { os })];
  // There is no link on the way.
  if (places[0] === path) return places;
  for (let at = path; dirname(at) !== at; at = dirname(at)) {
    places.push(join(realPlace(dirname(at), { os }), basename(at)));
  }
  return places;
}

function comparable(path: string, os: string): string {
  return os === "windows" || os === "darwin" ? path.toLowerCase() : path;
}

export function pathsOf(os: string): typeof posix {
  return os === "windows" ? win32 : posix;
}

function orNull<T>(ask: () => T): T | null {
  try {
    return ask();
  } catch {
    return null;
  }
}

// Folders as they really lie: grants of the scope go by words, and what lies in a folder is read by its
// real path.

import { basename, dirname, join, resolve } from "node:path";
import type { Config } from "../config_type.ts";
import { type IsGranted, isGranted } from "./rights.ts";

/** As many links as the system itself follows. */
const MOST_LINKS = 40;

/** The real path, or where it would be: what does not exist lies in the nearest that does. */
export function realPlace(path: string, linksLeft = MOST_LINKS): string {
  const missing: string[] = [];
  for (let at = path;; at = dirname(at)) {
    try {
      return join(Deno.realPathSync(at), ...missing);
    } catch {
      const target = linksLeft > 0 ? linkTarget(at) : null;
      // To a drive that is not there yet, say.
      if (target !== null) return join(realPlace(target, linksLeft - 1), ...missing);
      if (dirname(at) === at) return path;
      missing.unshift(basename(at));
    }
  }
}

function linkTarget(path: string): string | null {
  try {
    return resolve(dirname(path), Deno.readLinkSync(path));
  } catch {
    return null;
  }
}

/**
 * The config for who serves, once its home is there: what is in the home and the models folders is the
 * server's by its real path. Where only the name of a folder may be read, it keeps that.
 */
export function withRealFolders(config: Config, granted: IsGranted = isGranted): Config {
  function real(path: string): string {
    const place = realPlace(path);
    return granted({ name: "read", path: place }) ? place : path;
  }
  const modelsDirs = Object.freeze([...new Set(config.modelsDirs.map(real))]);
  return Object.freeze({ ...config, home: real(config.home), modelsDirs });
}

// The folders of who serves, as they really lie: grants of the scope go by words, and what lies in a
// folder is read by its real path.

import type { Config } from "../config_type.ts";
import { realPlace } from "../real_place.ts";
import { type IsGranted, isGranted } from "./rights.ts";

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

// The private folder in which instances listen, and the places in it.

import { join } from "node:path";
import { AppError } from "../errors.ts";
import { emptyAway } from "./instance_socket.ts";
import { type Place, PLACES } from "./messages.ts";
import { userId } from "./rights.ts";

export interface SocketFolder {
  dir: string;
  places: Place[];
}

export interface SocketFolderOptions {
  /** The session's runtime folder or the system's temporary one. */
  base: string;
  /** Two servers with different homes never share a folder. */
  home: string;
  platform: string;
  /** Whether the server may be given such a path; all may by default. */
  mayUse?(socketPath: string): boolean;
}

/** Bytes that a socket path may take on every system (`sun_path` less its end). */
const LONGEST_SOCKET_PATH = 103;
/** Where the base is too long, as below a home whose name is: three bytes a letter in Bengali. */
const SHORT_BASE = "/tmp";

/** Makes the folder, ours alone and empty. Throws `folder_unusable` where somebody else owns it. */
export function prepareSocketFolder(options: SocketFolderOptions): SocketFolder {
  const name = `zombiecoder-${userId() ?? "user"}-${nameHash(options.home)}`;
  const isWindows = options.platform === "windows";
  const fits = isWindows || byteLength(socketPath(join(options.base, name), 0)) <=
      LONGEST_SOCKET_PATH;
  const dir = join(fits ? options.base : SHORT_BASE, name);
  if (!isWindows && options.mayUse?.(socketPath(dir, 0)) === false) {
    // Narrow flags, which cannot name sockets of a folder: ports, as on Windows.
    return { dir: join(options.home, "run"), places: freePorts() };
  }
  makePrivate(dir);
  for (const entry of Deno.readDirSync(dir)) {
    if (/^\d\d(\.sock(\.new)?)?$/.test(entry.name)) emptyAway(join(dir, entry.name));
  }
  if (isWindows) return { dir, places: freePorts() };
  const places = Array.from({ length: PLACES }, (_, place) => ({
    socketPath: socketPath(dir, place),
  }));
  return { dir, places };
}

function socketPath(dir: string, place: number): string {
  return join(dir, `${String(place).padStart(2, "0")}.sock`);
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

// FNV-1a, twice: a short name that differs with the home, no secret.
export function nameHash(text: string): string {
  let [low, high] = [0x811c9dc5, 0x9dc5811c];
  for (const byte of new TextEncoder().encode(text)) {
    low = Math.imul(low ^ byte, 0x01000193) >>> 0;
    high = Math.imul(high ^ byte, 0x01000193) >>> 0;
  }
  return low.toString(16).padStart(8, "0") + high.toString(16).padStart(8, "0").slice(0, 4);
}

/** Removes what a process that was killed left behind: the next one would not start over it. */
export function removeSocket(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

// Anyone may make a folder of any name in the temporary folder: only one that is really a folder,
// really ours and closed to others will do.
function makePrivate(dir: string): void {
  try {
    Deno.mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw unusable(dir, error);
  }
  const info = Deno.lstatSync(dir);
  if (!info.isDirectory || (info.uid !== null && info.uid !== userId())) throw unusable(dir);
  if (info.mode !== null) Deno.chmodSync(dir, 0o700);
}

function unusable(dir: string, cause?: unknown): AppError {
  return new AppError(
    "folder_unusable",
    `Cannot use "${dir}" for sockets: it is not a folder of this user. Remove it and start again`,
    { values: { path: dir }, cause },
  );
}

function freePorts(): Place[] {
  const listeners = Array.from(
    { length: PLACES },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const places = listeners.map((listener) => ({ port: listener.addr.port }));
  for (const listener of listeners) listener.close();
  return places;
}

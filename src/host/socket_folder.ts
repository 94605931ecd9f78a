// The private folder in which instances listen, and the places in it.

import { isAbsolute, join } from "node:path";
import { AppError, messageOf } from "../errors.ts";
import { emptyAway } from "./instance_socket.ts";
import { type Place, PLACES } from "./messages.ts";
import { userId } from "./rights.ts";

export interface SocketFolder {
  dir: string;
  places: Place[];
}

/** Where such a folder may be made; whatever stands in the environment. */
export interface SocketBases {
  /** The session's own, which counts only as that: it may be that of another user, or gone. */
  runtimeDir: string | null;
  tmpDir: string;
}

export interface SocketFolderOptions extends SocketBases {
  /** Two servers with different homes never share a folder. */
  home: string;
  platform: string;
  /** Whether the server may be given such a path; all may by default. */
  mayUse?(socketPath: string): boolean;
}

/** Bytes that a socket path may take on every system (`sun_path` less its end). */
const LONGEST_SOCKET_PATH = 103;
/** Where nothing else will do, as below a home whose name is long: three bytes a letter in Bengali. */
const LAST_BASE = "/tmp";

/**
 * Makes the folder, ours alone and empty, in the first place that will do; it goes when it is disposed
 * of. Throws `folder_unusable` where none does.
 */
export function prepareSocketFolder(options: SocketFolderOptions): SocketFolder & Disposable {
  const { runtimeDir, tmpDir, home, platform, mayUse } = options;
  const name = `zombiecoder-${userId() ?? "user"}-${nameHash(home)}`;
  const isWindows = platform === "windows";
  const bases = isWindows ? [tmpDir] : [...new Set([runtimeDir ?? tmpDir, tmpDir, LAST_BASE])];
  const usable = bases.filter((base) =>
    isWindows || mayUse?.(socketPath(join(base, name), 0)) !== false
  );
  if (usable.length === 0) {
    // Narrow flags, which cannot name sockets of a folder: ports, as on Windows.
    return { dir: join(home, "run"), places: freePorts(), [Symbol.dispose]() {} };
  }
  const reasons: string[] = [];
  for (const base of usable) {
    try {
      checkBase(base, { isOurs: base === runtimeDir });
      const dir = privateFolder(base, {
        name,
        longest: isWindows ? Infinity : LONGEST_SOCKET_PATH,
      });
      emptyOf(dir);
      return {
        dir,
        places: isWindows ? freePorts() : socketsIn(dir),
        [Symbol.dispose]: () => removeFolder(dir),
      };
    } catch (error) {
      reasons.push(`${JSON.stringify(base)}: ${messageOf(error)}`);
    }
  }
  throw new AppError(
    "folder_unusable",
    `Cannot make a private folder for sockets in ${
      reasons.join("; nor in ")
    }. Set TMPDIR to a folder in which you can write`,
    { values: { path: bases[0]! } },
  );
}

function checkBase(base: string, { isOurs }: { isOurs: boolean }): void {
  if (!isAbsolute(base)) throw new Error("it is not an absolute path");
  const { isDirectory, uid } = Deno.statSync(base);
  if (!isDirectory) throw new Error("it is not a folder");
  const own = userId();
  if (isOurs && uid !== null && own !== null && uid !== own) {
    throw new Error("it belongs to another user");
  }
}

/**
 * That of this name; where somebody else has it, as anyone can in a folder that all may write to, one
 * with a random end: one that an earlier life of this home left, or a new one.
 */
function privateFolder(base: string, { name, longest }: { name: string; longest: number }): string {
  function inBase(each: string): string | null {
    const dir = join(base, each);
    if (byteLength(socketPath(dir, 0)) > longest) throw new Error("its path is too long");
    return makePrivate(dir) ? dir : null;
  }
  const own = inBase(name);
  if (own !== null) return own;
  for (const entry of Deno.readDirSync(base)) {
    const isLike = entry.name.startsWith(`${name}-`) && RANDOM_END.test(entry.name);
    const left = isLike ? inBase(entry.name) : null;
    if (left !== null) return left;
  }
  const made = inBase(`${name}-${crypto.randomUUID().slice(0, 8)}`);
  if (made === null) throw new Error("another user keeps it from us");
  return made;
}

const RANDOM_END = /-[0-9a-f]{8}$/;

function socketsIn(dir: string): Place[] {
  return Array.from({ length: PLACES }, (_, place) => ({ socketPath: socketPath(dir, place) }));
}

function emptyOf(dir: string): void {
  for (const entry of Deno.readDirSync(dir)) {
    if (/^\d\d(\.sock(\.new)?)?$/.test(entry.name)) emptyAway(join(dir, entry.name));
  }
}

/** What is not ours in it stays, and the folder with it. */
function removeFolder(dir: string): void {
  try {
    emptyOf(dir);
    Deno.removeSync(dir);
  } catch {
    // Nor does one that is gone already end badly, as that of a session that has ended.
  }
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

/** False where it is somebody else's, or no folder: only one that is really ours will do. */
function makePrivate(dir: string): boolean {
  try {
    Deno.mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  const info = Deno.lstatSync(dir);
  if (!info.isDirectory || (info.uid !== null && info.uid !== userId())) return false;
  if (info.mode !== null) Deno.chmodSync(dir, 0o700);
  return true;
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

// Walks one models folder: which GGUF files lie where, how long and how old. Opens no file; what
// they make together is model_files.ts.

import { join } from "node:path";

import { isInside } from "./safe_join.ts";

export interface FoundFile {
  name: string;
  path: string;
  /** Where the bytes lie: differs from `path` for a link. */
  realPath: string;
  sizeBytes: number;
  mtimeMs: number;
}

export interface FoundFolder {
  path: string;
  name: string;
  /** The models folder itself, not a folder in it. */
  isRoot: boolean;
  /** Its GGUF files by name. */
  files: FoundFile[];
  /** Everything that lies in it: a half-written file is told by the one beside it. */
  names: ReadonlySet<string>;
}

export interface ScanOptions {
  /** Levels of folders below the root. */
  depth: number;
  /** Real paths of the folders that a link may lead into. */
  realRoots: readonly string[];
  /** A link that leads elsewhere. */
  onRefused: (path: string) => void;
  /** A folder or file that is there and cannot be read. */
  onUnreadable: (path: string, error: unknown) => void;
}

/** The folders under `root` that hold GGUF files, sorted; null where it cannot be read. */
export async function scanFolder(
  root: string,
  options: ScanOptions,
): Promise<FoundFolder[] | null> {
  const found: FoundFolder[] = [];
  let realRoot: string;
  try {
    realRoot = await Deno.realPath(root);
  } catch (error) {
    options.onUnreadable(root, error);
    return null;
  }
  const isRead = await walk(root, { ...options, realPath: realRoot, isRoot: true, found });
  return isRead ? found.sort((a, b) => compareText(a.path, b.path)) : null;
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

interface WalkOptions extends ScanOptions {
  realPath: string;
  isRoot: boolean;
  found: FoundFolder[];
}

async function walk(path: string, options: WalkOptions): Promise<boolean> {
  const entries: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(path)) entries.push(entry);
  } catch (error) {
    options.onUnreadable(path, error);
    return false;
  }
  const visible = entries.filter((entry) => !entry.name.startsWith("."));
  const looked = visible
    .filter((entry) => /\.gguf$/i.test(entry.name) && !entry.isDirectory)
    .map((entry) => look(path, entry.name, options));
  const files = (await Promise.all(looked)).filter((file) => file !== null);
  if (files.length > 0) {
    options.found.push({
      path,
      name: path.split(/[/\\]/).at(-1) ?? "",
      isRoot: options.isRoot,
      files: files.sort((a, b) => compareText(a.name, b.name)),
      names: new Set(entries.map((entry) => entry.name)),
    });
  }
  // A link to a folder is not entered: inside a models folder it is walked by its own name.
  const below = options.depth === 0 ? [] : visible.filter((entry) => entry.isDirectory);
  for (const entry of below) {
    await walk(join(path, entry.name), {
      ...options,
      realPath: join(options.realPath, entry.name),
      depth: options.depth - 1,
      isRoot: false,
    });
  }
  return true;
}

async function look(
  folder: string,
  name: string,
  options: WalkOptions,
): Promise<FoundFile | null> {
  const path = join(folder, name);
  try {
    let info = await Deno.lstat(path);
    let realPath = join(options.realPath, name);
    if (info.isSymlink) {
      realPath = await Deno.realPath(path);
      if (!options.realRoots.some((root) => isInside(root, realPath))) {
        options.onRefused(path);
        return null;
      }
      info = await Deno.lstat(realPath);
    }
    if (!info.isFile) return null;
    return {
      name,
      path,
      realPath,
      sizeBytes: info.size,
      mtimeMs: info.mtime?.getTime() ?? 0,
    };
  } catch (error) {
    // Gone since it was listed, or a link to nothing: as if it were not there.
    if (!(error instanceof Deno.errors.NotFound)) options.onUnreadable(path, error);
    return null;
  }
}

// Which libraries a caged program sees: its own and, unless those are all that it needs, the system's. Of a
// folder that holds other things as well it sees none of those.

import { dirname, join } from "node:path";
import { loaderOf } from "./elf_interpreter.ts";
import { neededBy } from "./elf_needed.ts";

export interface LibrariesOptions {
  gpu: boolean;
  /** The whole folder is llama.cpp's: we made it, and it is held against its record. */
  isOurs: boolean;
}

const SYSTEM_LIBRARIES = [
  ...["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/local/lib64"],
  // By which the loader finds them; and where Debian's links to a chosen one of several lead.
  ...["/etc/ld.so.cache", "/etc/alternatives"],
];
/** Where drivers and their descriptions lie. */
const GPU_LIBRARIES = [
  ...["/opt/rocm", "/usr/local/cuda", "/usr/share/vulkan", "/etc/vulkan", "/usr/share/glvnd"],
  ...["/usr/share/nvidia", "/etc/OpenCL", "/usr/share/libdrm"],
];
/** Folders of package managers that keep libraries apart, by absolute paths. */
const PACKAGE_TREES = ["/nix/store", "/gnu/store", "/home/linuxbrew/.linuxbrew"];

const LIBRARY = /^(?:lib|ld-).*\.so(?:\.\d+)*$|^lib.*\.dylib$/;
/** Of llama.cpp itself, where other libraries lie as well. */
const OWN_LIBRARY = /^lib(?:ggml|llama|mtmd)/;
/** What else an unpacked or built llama.cpp has in its folder; no model, no archive, nothing hidden. */
const OWN_FILE = /^(?:(?:llama|ggml|rpc)(?:-[a-z0-9-]+)?|LICENSE[\w.-]*|runtime\.json)$/;
/** What a driver's library opens beside itself. */
const GPU_DATA = ["rocblas", "hipblaslt", "default.metallib", "ggml-metal.metal", "ggml-common.h"];
/** Each is a mount: no build that we know of comes near. */
const MOST_FILES = 500;

/** Files and folders. A link stands for what it points to. */
export function librariesOf(program: string, { gpu, isOurs }: LibrariesOptions): string[] {
  const folder = dirname(program);
  const names = namesIn(folder);
  const own = isOurs ? [folder] : ownFiles(program, { names, gpu });
  // That of a build which was moved may lie elsewhere.
  const loader = loaderOf(program);
  if (
    loader !== null && !own.includes(loader) && !own.includes(dirname(loader)) &&
    !/^\/(?:usr\/)?lib/.test(loader)
  ) own.push(loader);
  if (isSelfContained(names) && !gpu) return own;
  const tree = PACKAGE_TREES.find((each) => program.startsWith(`${each}/`));
  return [
    ...SYSTEM_LIBRARIES,
    ...(gpu ? GPU_LIBRARIES : []),
    ...(tree === undefined ? [] : [tree]),
    ...own,
  ];
}

function ownFiles(
  program: string,
  { names, gpu }: { names: readonly Deno.DirEntry[]; gpu: boolean },
): string[] {
  const folder = dirname(program);
  const at = (name: string) => join(folder, name);
  const beside = names.filter(({ name }) => LIBRARY.test(name)).map(({ name }) => at(name));
  // One mount instead of dozens, each of which makes a load longer.
  const isAllOurs = names.every((entry) => isOwnFile(folder, entry));
  const data = names.filter(({ name }) => gpu && GPU_DATA.includes(name)).map(({ name }) =>
    at(name)
  );
  return [
    ...(isAllOurs ? [folder] : [program, ...beside, ...data]),
    ...inLibraryFolders([program, ...beside], { folder, gpu }),
  ];
}

function isOwnFile(folder: string, { name, isDirectory, isSymlink }: Deno.DirEntry): boolean {
  if (isDirectory || !(LIBRARY.test(name) || OWN_FILE.test(name))) return false;
  // Inside, a link leads nowhere but to what is there as well.
  return !isSymlink || !Deno.readLinkSync(join(folder, name)).includes("/");
}

/**
 * Of PREFIX/lib for PREFIX/bin/llama-server: llama.cpp's own, and what those name as needed. Whatever else
 * was installed there is not seen.
 */
function inLibraryFolders(
  roots: readonly string[],
  { folder, gpu }: { folder: string; gpu: boolean },
): string[] {
  const folders = libraryFolders(folder);
  const all = new Map<string, string>();
  const data: string[] = [];
  for (const each of folders) {
    for (const { name } of namesIn(each)) {
      if (LIBRARY.test(name) && !all.has(name)) all.set(name, join(each, name));
      else if (gpu && GPU_DATA.includes(name)) data.push(join(each, name));
    }
  }
  if (all.size === 0) return [];
  const seen = new Set<string>();
  for (const name of all.keys()) {
    if (OWN_LIBRARY.test(name) || name.endsWith(".dylib")) seen.add(name);
  }
  const waiting = [...roots, ...[...seen].map((name) => all.get(name)!)];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    for (const name of neededBy(path)) {
      const found = all.get(name);
      if (found === undefined || seen.has(name)) continue;
      seen.add(name);
      waiting.push(found);
    }
  }
  return [...[...seen].slice(0, MOST_FILES).map((name) => all.get(name)!), ...data];
}

function libraryFolders(folder: string): string[] {
  return ["lib", "lib64"].map((name) => join(dirname(folder), name)).filter((path) =>
    path !== folder && !SYSTEM_LIBRARIES.includes(path)
  );
}

/** A build with the C library it was made for, as install_debian.ts makes them. */
function isSelfContained(names: readonly Deno.DirEntry[]): boolean {
  return names.some(({ name }) => /^ld-linux.*\.so\.\d+$/.test(name)) &&
    names.some(({ name }) => name === "libc.so.6");
}

function namesIn(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    const { NotFound, NotADirectory, PermissionDenied } = Deno.errors;
    const isNothing = error instanceof NotFound || error instanceof NotADirectory;
    if (!isNothing && !(error instanceof PermissionDenied)) throw error;
    return [];
  }
}

/** Times of a change are whole ticks: one of this moment does not tell of the next change. */
const UNSETTLED_MS = 2_000;

/** Remembers them while the program and its folders are as they were: then a load reads no folder. */
export class KnownLibraries {
  readonly #known = new Map<string, { stamp: string; libraries: string[] }>();

  of(program: string, options: LibrariesOptions): string[] {
    const key = JSON.stringify([program, options.gpu, options.isOurs]);
    const { stamp, isSettled } = stampOf(program);
    const known = this.#known.get(key);
    if (known?.stamp === stamp) return known.libraries;
    const libraries = librariesOf(program, options);
    if (isSettled) this.#known.set(key, { stamp, libraries });
    return libraries;
  }
}

function stampOf(program: string): { stamp: string; isSettled: boolean } {
  const folder = dirname(program);
  let latestMs = 0;
  const stamps = [program, folder, ...libraryFolders(folder)].map((path) => {
    try {
      const { ino, size, mtime, ctime } = Deno.statSync(path);
      latestMs = Math.max(latestMs, ctime?.getTime() ?? Infinity);
      return `${ino} ${size} ${mtime?.getTime()} ${ctime?.getTime()}`;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  });
  return { stamp: stamps.join(), isSettled: Date.now() - latestMs > UNSETTLED_MS };
}

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
/** What llama.cpp opens by its name. Apple's libraries do not tell us which others they need. */
const OPENED = /^libggml-(?!base).*\.so$|^lib.*\.dylib$/;
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
  // One mount instead of dozens, each of which makes a load longer.
  const whole = names.every((entry) => isOwnFile(folder, entry)) ? [folder] : [];
  const own = [program];
  const all = new Map<string, string[]>();
  for (const each of [folder, ...libraryFolders(folder)]) {
    for (const { name } of each === folder ? names : namesIn(each)) {
      const path = join(each, name);
      // Which of two the loader takes is its own business.
      if (LIBRARY.test(name)) all.set(name, [...all.get(name) ?? [], path]);
      // Which libraries a driver's own opens by their names, no file tells.
      const isOpened = gpu && each === folder && LIBRARY.test(name);
      const isData = gpu && GPU_DATA.includes(name);
      if (isOpened || isData || OPENED.test(name)) own.push(path);
    }
  }
  if (whole.length === 0) return withNeeded(own, all);
  const isElsewhere = (path: string) => dirname(path) !== folder;
  if (![...all.values()].some((paths) => paths.some(isElsewhere))) return whole;
  return [...whole, ...withNeeded(own, all).filter(isElsewhere)];
}

function isOwnFile(folder: string, { name, isDirectory, isSymlink }: Deno.DirEntry): boolean {
  if (isDirectory || !(LIBRARY.test(name) || OWN_FILE.test(name))) return false;
  // Inside, a link leads nowhere but to what is there as well.
  return !isSymlink || !Deno.readLinkSync(join(folder, name)).includes("/");
}

/** With the libraries that these name as needed, and those that are needed by them, as far as we have them. */
function withNeeded(own: readonly string[], all: ReadonlyMap<string, string[]>): string[] {
  const seen = new Set(own);
  // A set hands out what is added meanwhile.
  for (const path of seen) {
    for (const name of neededBy(path)) {
      if (seen.size < MOST_FILES) { for (const found of all.get(name) ?? []) seen.add(found); }
    }
  }
  return [...seen];
}

/** Of PREFIX/lib for PREFIX/bin/llama-server, where whatever else was installed is not seen. */
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

// Installs llama.cpp from Debian's own packages into a folder of its own: with the glibc they
// were built for, no root, nothing of the system touched. How packages are fetched and verified
// is debian_packages.ts's.

import { basename, join } from "node:path";
import { messageOf } from "../errors.ts";
import type { InstallContext, InstallSource, PreparedBuild } from "./install_source.ts";
import { removeWorkFolder } from "./runtime_home.ts";
import { SERVER_FILE } from "./server_file.ts";
import { PrivateApt, unpackPackage } from "./debian_packages.ts";
import { runProgram } from "./run_program.ts";

export interface DebianOptions {
  /** Default: `/etc/os-release`. */
  osRelease?: string;
  /** Tried in this order. Debian 12 and 13 have no llama.cpp of their own. */
  suites?: readonly string[];
  /** Folder of the archive's public keys. */
  keyrings?: string;
}

const PACKAGES = [
  "llama.cpp-tools",
  "llama.cpp-tools-extra",
  /^libggml\d+-backend-rpc$/,
  "patchelf",
];
// For a web page that we never fetch, questions at installation, and old ciphers.
const UNNEEDED = ["wget", "debconf", "openssl-provider-legacy"];
const KEYRINGS = ["debian-archive-keyring.gpg", "debian-archive-keyring.pgp"];
const PATCH_TIMEOUT_MS = 60_000;

export function debianSource(options: DebianOptions = {}): InstallSource {
  const {
    osRelease = "/etc/os-release",
    suites = ["sid", "testing"],
    keyrings = "/usr/share/keyrings",
  } = options;

  async function unsuitable(signal?: AbortSignal): Promise<string | null> {
    if (Deno.build.os !== "linux") return "this is not Debian";
    // Not ID_LIKE: Ubuntu and others have neither Debian's mirrors nor its keys.
    const { ID } = await readOsRelease(osRelease);
    if (ID !== "debian") return "this is not Debian";
    if ((await keyringIn(keyrings)) === null) return "package debian-archive-keyring is missing";
    for (const tool of ["apt-get", "apt-cache", "apt-config", "dpkg", "dpkg-deb"]) {
      if (!(await runs(tool, signal))) return `"${tool}" is missing`;
    }
    return null;
  }

  async function* builds(context: InstallContext): AsyncGenerator<PreparedBuild> {
    const keyring = await keyringIn(keyrings);
    if (keyring === null) throw new Error("package debian-archive-keyring is missing");
    const { VERSION_CODENAME = null } = await readOsRelease(osRelease);
    const reasons = new Map<string, string>();
    for (const [index, suite] of suites.entries()) {
      const folder = join(context.workFolder, `suite-${index}`);
      await Deno.mkdir(folder);
      const apt = { codename: VERSION_CODENAME, keyring, suite, folder };
      try {
        yield await buildFrom(apt, context);
      } catch (error) {
        context.signal.throwIfAborted();
        const reason = messageOf(error).replace(/\.+$/, "");
        // What stops more than one is told once.
        if (!reasons.has(reason)) reasons.set(reason, suite);
        context.log.warn("Cannot use a Debian suite", { suite, reason });
      }
      // The next one may need its room.
      await removeWorkFolder(folder);
    }
    if (reasons.size === 1) throw new Error([...reasons.keys()][0]);
    const all = [...reasons].map(([reason, suite]) => `${suite}: ${reason}`);
    if (all.length > 0) throw new Error(all.join("; "));
  }

  return { name: "debian", unsuitable, builds };
}

async function buildFrom(
  apt: { codename: string | null; keyring: string; suite: string; folder: string },
  context: InstallContext,
): Promise<PreparedBuild> {
  const { signal } = context;
  context.progress("Fetching llama.cpp from Debian", 0.05);
  const aptFolder = join(apt.folder, "apt");
  await Deno.mkdir(aptFolder);
  const privateApt = await PrivateApt.open({ ...apt, folder: aptFolder, signal });
  const { suite } = apt;
  const fetched = await privateApt.fetch({ suite, packages: PACKAGES, unneeded: UNNEEDED });

  context.progress("Unpacking llama.cpp", 0.6);
  // glibc apart: its files must stay as they are, all others are told where their libraries lie.
  const glibcRoot = join(apt.folder, "glibc");
  const root = join(apt.folder, "root");
  for (const each of fetched) {
    await unpackPackage(each.path, each.name === "libc6" ? glibcRoot : root, signal);
  }

  context.progress("Preparing llama.cpp", 0.85);
  const version = fetched.find((each) => each.name === "llama.cpp-tools")?.version ?? "unknown";
  const plain = version.replace(/^\d+:/, "").toLowerCase().replace(/[^a-z0-9.+~-]/g, "-");
  const archives = fetched.map(({ path, sha256 }) => ({ name: basename(path), sha256 }));
  const name = await context.nameFor(`debian-${plain}-${privateApt.architecture}`, archives);
  const folder = join(apt.folder, "flat");
  await Deno.mkdir(folder, { mode: 0o755 });
  await flatten({ root, glibcRoot, folder, finalFolder: context.finalFolder(name), signal });
  return { name, folder, verified: "signed", archives, needsDevice: false };
}

/**
 * One folder with programs and libraries, as in llama.cpp's own archives: it looks for backends
 * beside the executable. Programs start with the loader of their own glibc, whose path must be
 * absolute.
 */
async function flatten(
  options: {
    root: string;
    glibcRoot: string;
    folder: string;
    finalFolder: string;
    signal: AbortSignal;
  },
): Promise<void> {
  const { root, glibcRoot, folder, finalFolder, signal } = options;
  const libraryFolder = await findFolder(join(root, "usr/lib"), /-linux-gnu/);
  const multiarch = basename(libraryFolder);
  const glibcFolder = join(glibcRoot, "usr/lib", multiarch);
  await copyLibraries(glibcFolder, glibcRoot, folder);
  signal.throwIfAborted();
  const loader = (await namesIn(folder)).find((name) => /^ld-linux.*\.so\.\d+$/.test(name));
  if (loader === undefined) throw new Error("package libc6 has no loader");

  const libraries = await copyLibraries(libraryFolder, root, folder);
  for (const below of ["llama", "ggml"]) {
    for (const nested of await foldersBelow(join(libraryFolder, below))) {
      libraries.push(...await copyLibraries(nested, root, folder));
    }
  }
  const programs = [
    ...await copyPrograms(join(root, "usr/bin"), folder, /^llama-/),
    ...await copyPrograms(join(root, "usr/libexec", multiarch, "llama/bin"), folder, /^ggml-/),
  ];
  if (!programs.includes(SERVER_FILE)) {
    throw new Error("package llama.cpp-tools has no llama-server");
  }

  // From the unpacked packages themselves: patchelf cannot change a library that it is running on.
  const patchelf = async (...args: string[]) => {
    const path = [glibcFolder, libraryFolder].join(":");
    const program = join(root, "usr/bin/patchelf");
    const loaderArgs = ["--library-path", path, program, ...args];
    const options = { cwd: folder, timeoutMs: PATCH_TIMEOUT_MS, signal };
    const result = await runProgram(join(glibcFolder, loader), loaderArgs, options);
    if (result.code !== 0) {
      throw new Error(`patchelf failed: ${result.stderr.trim().slice(0, 300)}`);
    }
  };
  // RPATH and not RUNPATH, on libraries too: only so it holds for what a library itself needs.
  const rpath = ["--force-rpath", "--set-rpath", "$ORIGIN"];
  await patchelf(...rpath, ...libraries);
  await patchelf(...rpath, "--set-interpreter", join(finalFolder, loader), ...programs);
}

/**
 * Copies shared libraries under the names by which they are looked for: a file with links to it
 * only under the links' names. Returns the names.
 */
async function copyLibraries(from: string, root: string, to: string): Promise<string[]> {
  const realRoot = await Deno.realPath(root);
  const copies = new Map<string, string>();
  const linked = new Set<string>();
  for (const name of await namesIn(from)) {
    if (!/\.so(\.\d+)*$/.test(name)) continue;
    const path = join(from, name);
    const { isSymlink } = await Deno.lstat(path);
    const real = await Deno.realPath(path);
    if (!real.startsWith(realRoot + "/")) throw new Error(`"${name}" leads out of its package`);
    if (isSymlink) linked.add(real);
    copies.set(name, real);
  }
  const names: string[] = [];
  for (const [name, real] of copies) {
    if (linked.has(real) && basename(real) === name) continue;
    await Deno.copyFile(real, join(to, name));
    names.push(name);
  }
  return names;
}

async function copyPrograms(from: string, to: string, pattern: RegExp): Promise<string[]> {
  const names: string[] = [];
  for (const name of await namesIn(from)) {
    const path = join(from, name);
    if (!pattern.test(name) || !(await isElf(path))) continue;
    await Deno.copyFile(path, join(to, name));
    await Deno.chmod(join(to, name), 0o755);
    names.push(name);
  }
  return names;
}

async function isElf(path: string): Promise<boolean> {
  if (!(await Deno.lstat(path)).isFile) return false;
  using file = await Deno.open(path, { read: true });
  const magic = new Uint8Array(4);
  return (await file.read(magic)) === 4 && String.fromCharCode(...magic) === "\x7fELF";
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name)).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** The folder and those in it, but no deeper. */
async function foldersBelow(folder: string): Promise<string[]> {
  const folders = [folder];
  for (const name of await namesIn(folder)) {
    if ((await Deno.lstat(join(folder, name))).isDirectory) folders.push(join(folder, name));
  }
  return folders;
}

async function findFolder(folder: string, pattern: RegExp): Promise<string> {
  const name = (await namesIn(folder)).find((each) => pattern.test(each));
  if (name === undefined) throw new Error("the packages have no libraries");
  return join(folder, name);
}

async function keyringIn(folder: string): Promise<string | null> {
  for (const name of KEYRINGS) {
    try {
      if ((await Deno.stat(join(folder, name))).isFile) return join(folder, name);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return null;
}

async function runs(tool: string, signal?: AbortSignal): Promise<boolean> {
  try {
    const options = { inherit: true, timeoutMs: 10_000, signal };
    return (await runProgram(tool, ["--version"], options)).code === 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** `NAME=value` lines, quoted or not. A missing file says nothing. */
async function readOsRelease(path: string): Promise<Record<string, string>> {
  let text = "";
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const lines = text.matchAll(/^([A-Z_]+)=(["']?)(.*)\2$/gm);
  return Object.fromEntries([...lines].map((match) => [match[1]!, match[3]!]));
}

// The real llama-server in other places than its own: what users do with a build that they unpacked or made.

import { basename, dirname, join } from "node:path";
import { testRuntime } from "./llama_server.ts";

/**
 * With its libraries, directly in the folder; the name of each with a version is a link to a longer one, as
 * releases have them. Returns the program's path.
 */
export async function copiedEngine(folder: string): Promise<string> {
  const program = await testRuntime();
  Deno.mkdirSync(folder, { recursive: true });
  for (const path of engineFiles(dirname(program))) {
    const name = basename(path);
    const isLinked = /\.so\.\d+$/.test(name) && Deno.lstatSync(path).isFile;
    copy(path, join(folder, isLinked ? `${name}.9.1` : name));
    if (isLinked) Deno.symlinkSync(`${name}.9.1`, join(folder, name));
  }
  return join(folder, basename(program));
}

const BESIDE = new TextEncoder().encode("$ORIGIN\0");
/** By the working folder, which is the program's: a shorter name than that by its own place. */
const IN_LIB = new TextEncoder().encode("../lib\0\0");

/**
 * As `cmake --install --prefix` leaves it: programs and backends in `bin`, libraries in `lib`. Returns the
 * program's path.
 */
export async function prefixedEngine(prefix: string): Promise<string> {
  const program = await testRuntime();
  for (const name of ["bin", "lib"]) Deno.mkdirSync(join(prefix, name), { recursive: true });
  for (const path of engineFiles(dirname(program))) {
    const name = basename(path);
    const isInBin = path === program || /^libggml-(?!base).*\.so$/.test(name);
    if (!isInBin) {
      copy(path, join(prefix, "lib", name));
      continue;
    }
    const bytes = Deno.readFileSync(path);
    if (replaceAll(bytes, BESIDE, IN_LIB) === 0) throw new Error(`${name} looks nowhere beside it`);
    Deno.writeFileSync(join(prefix, "bin", name), bytes, { mode: 0o755 });
  }
  return join(prefix, "bin", basename(program));
}

function engineFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name === "llama-server" || /^(?:lib|ld-).*\.so(?:\.\d+)*$/.test(name))
    .map((name) => join(folder, name));
}

/** A second name where that can be: it takes no room. */
function copy(from: string, to: string): void {
  const { isSymlink } = Deno.lstatSync(from);
  if (isSymlink) return Deno.symlinkSync(Deno.readLinkSync(from), to);
  try {
    Deno.linkSync(from, to);
  } catch {
    Deno.copyFileSync(from, to);
  }
}

function replaceAll(bytes: Uint8Array, from: Uint8Array, to: Uint8Array): number {
  let count = 0;
  for (let at = 0; at <= bytes.length - from.length; at++) {
    if (bytes[at] !== from[0] || !from.every((byte, index) => bytes[at + index] === byte)) continue;
    bytes.set(to, at);
    count++;
  }
  return count;
}

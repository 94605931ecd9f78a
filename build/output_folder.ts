// Where a build writes: what lies there already is replaced only where an earlier build of ours wrote it.

import { join } from "node:path";
import { durableWrite } from "../src/durable_write.ts";
import { RUNTIME_ARCHIVE, RUNTIME_RECORD } from "../src/host/embedded_runtime.ts";
import { WORKERS } from "../src/host/program_files.ts";
import { BuildFailure } from "./step.ts";

/** The script that is run; its Workers' are named by `WORKERS`. */
export const PROGRAM = "zombiecoder.js";

export const MANIFEST = "manifest.json";
/** What is said of the files of a build, beside them. The first says whose they are. */
export const PAPERS: readonly string[] = [
  ...[MANIFEST, "SHA256SUMS", "sbom.cdx.json", "LICENSES.txt"],
];

/** All that a folder with a bundle may hold; `desktop` and an executable for Windows need one more. */
const BUNDLE_FILES: readonly string[] = [
  ...[PROGRAM, ...Object.keys(WORKERS).map((name) => `${name}.js`)],
  ...[RUNTIME_ARCHIVE, RUNTIME_RECORD, ...PAPERS, "deno.json", "zombiecoder.ico"],
];

/** What a build that was killed may leave of a paper. */
const ASIDE = /\.[0-9a-f]{12}\.tmp$/;

/** How the program's script begins, in every version. */
export const FIRST_WORDS = "#!/usr/bin/env -S DENO_NO_UPDATE_CHECK=1 deno run ";

/**
 * The files of an earlier bundle in `folder`, the program last. Throws `BuildFailure` for a folder that
 * holds anything else. Hidden files are nobody's hindrance and stay.
 */
export async function earlierBundle(folder: string): Promise<string[]> {
  const files: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (name.startsWith(".")) continue;
      if (!isFile || !BUNDLE_FILES.includes(name.replace(ASIDE, ""))) throw notOurs(folder, name);
      files.push(name);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    if (error instanceof Deno.errors.NotADirectory) {
      throw new BuildFailure(`Cannot make "${folder}": it, or what it would lie in, is a file`);
    }
    throw error;
  }
  if (files.length === 0) return [];
  if (!files.includes(PROGRAM)) throw notOurs(folder, files[0]!);
  const start = await readStart(join(folder, PROGRAM), FIRST_WORDS.length);
  // A build that was killed may have made it, and not yet written much to it.
  if (!FIRST_WORDS.startsWith(start)) throw notOurs(folder, PROGRAM);
  return [...files.filter((name) => name !== PROGRAM), PROGRAM];
}

/** Throws `BuildFailure` where papers lie in `folder` that are of something else. */
export async function checkPapers(
  folder: string,
  papers: readonly string[] = PAPERS,
): Promise<void> {
  const found: string[] = [];
  for (const name of papers) {
    try {
      const { isFile } = await Deno.lstat(join(folder, name));
      if (!isFile) throw notOurs(folder, name);
      found.push(name);
    } catch (error) {
      const { NotADirectory, NotFound } = Deno.errors;
      if (!(error instanceof NotFound || error instanceof NotADirectory)) throw error;
    }
  }
  if (found.length === 0) return;
  if (!found.includes(MANIFEST)) throw notOurs(folder, found[0]!);
  if (!isManifest(await Deno.readTextFile(join(folder, MANIFEST)))) throw notOurs(folder, MANIFEST);
}

/** Whole or not at all, so that it can be told whose it is; for everybody to read. */
export async function writePaper(folder: string, name: string, text: string): Promise<void> {
  const path = join(folder, name);
  await durableWrite(path, text);
  if (Deno.build.os !== "windows") await Deno.chmod(path, 0o644);
}

function isManifest(text: string): boolean {
  let manifest: { version?: unknown; files?: unknown } | null;
  try {
    manifest = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
  const { version, files } = manifest ?? {};
  if (typeof version !== "string" || !Array.isArray(files) || files.length === 0) return false;
  return files.every((file) => /^[0-9a-f]{64}$/.test(file?.sha256)) &&
    files.some((file) => `${file?.name}`.startsWith("zombiecoder"));
}

async function readStart(path: string, length: number): Promise<string> {
  using file = await Deno.open(path, { read: true });
  const bytes = new Uint8Array(length);
  const count = await file.read(bytes) ?? 0;
  return new TextDecoder().decode(bytes.subarray(0, count));
}

function notOurs(folder: string, name: string): BuildFailure {
  return new BuildFailure(
    `Cannot build into "${folder}": its ${JSON.stringify(name)} is not of an earlier build. ` +
      "Move it away, or name a new folder with --out DIR",
  );
}

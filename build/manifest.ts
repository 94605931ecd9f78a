// manifest.json and SHA256SUMS: what a release, or a bundle, consists of. Run by itself it describes what
// several machines have built: `deno run -A build/manifest.ts DIR`.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { VERSION } from "../src/version.ts";
import { checkPapers, MANIFEST, writePaper } from "./output_folder.ts";
import { BuildFailure, print, runBuild, WrongArguments } from "./step.ts";
import { TARGETS } from "./targets.ts";

export interface Manifest {
  version: string;
  files: { name: string; target: string; sizeBytes: number; sha256: string }[];
}

/** Of these files in `folder`, by name and target. Throws `BuildFailure` where one is missing. */
export async function writeManifest(
  folder: string,
  targets: ReadonlyMap<string, string>,
): Promise<Manifest> {
  const files: Manifest["files"] = [];
  const missing: string[] = [];
  for (const [name, target] of targets) {
    const read = await readSum(join(folder, name));
    if (read === null) missing.push(name);
    else files.push({ name, target, ...read });
  }
  if (missing.length > 0) {
    throw new BuildFailure(`Cannot find ${missing.join(", ")} in "${folder}"`);
  }
  const manifest = { version: VERSION, files };
  await writePaper(folder, MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`);
  const sums = files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
  await writePaper(folder, "SHA256SUMS", sums);
  return manifest;
}

async function readSum(path: string): Promise<{ sizeBytes: number; sha256: string } | null> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const bytes of file.readable) {
    hash.update(bytes);
    sizeBytes += bytes.length;
  }
  return { sizeBytes, sha256: hash.digest("hex") };
}

async function main(): Promise<number> {
  const [folder, ...more] = Deno.args;
  if (folder === undefined || more.length > 0) {
    throw new WrongArguments("Usage: build/manifest.ts DIR");
  }
  const targets = new Map(TARGETS.map(({ file, triple }) => [file, triple] as const));
  await checkPapers(folder, [MANIFEST, "SHA256SUMS"]);
  const { files } = await writeManifest(folder, targets);
  for (const { name, sha256 } of files) print(`${sha256}  ${name}`);
  return 0;
}

if (import.meta.main) await runBuild(main);

// Source -> three scripts with everything inside: the program, and what runs in its Workers. What the
// program finds beside them is told by src/host/program_files.ts.

import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { BUNDLE_FLAGS, WORKERS } from "../src/host/program_files.ts";
import { type BundledModules, readModules, withoutThisMachine } from "./bundled_modules.ts";
import { earlierBundle, FIRST_WORDS, PROGRAM } from "./output_folder.ts";
import { BuildFailure, runDeno } from "./step.ts";

export const ROOT = fileURLToPath(new URL("../", import.meta.url));

export interface BundledProgram extends BundledModules {
  /** Their names, the program first. */
  scripts: string[];
}

/** Without the variable Deno would ask now and then whether there is a newer one of it. */
export const RUN_COMMAND = `DENO_NO_UPDATE_CHECK=1 deno run ${BUNDLE_FLAGS.join(" ")}`;

/** So that the script can be called by its name, where a Deno is in PATH. */
const HOW_TO_RUN = `${FIRST_WORDS}${BUNDLE_FLAGS.join(" ")}\n`;

/** In `folder`, which is made, or holds an earlier bundle that it replaces. Throws `BuildFailure`. */
export async function bundleProgram(folder: string): Promise<BundledProgram> {
  await earlierBundle(folder);
  const sources = new Map([[PROGRAM, "main.ts"]]);
  for (const [name, source] of Object.entries(WORKERS)) {
    sources.set(`${name}.js`, join("src/host", source));
  }
  const files = new Set<string>();
  const packages = new Map<string, string>();
  const texts = new Map<string, string>();
  for (const [script, source] of sources) {
    const text = await bundle(source);
    const modules = readModules(text);
    for (const file of modules.files) files.add(file);
    for (const [name, path] of modules.packages) packages.set(name, resolve(ROOT, path));
    const first = script === PROGRAM ? HOW_TO_RUN : "";
    texts.set(script, first + withoutThisMachine(text));
  }
  await replaceBundle(folder, texts);
  return { scripts: [...sources.keys()], files, packages };
}

// Not minified: that saves half a megabyte on the disk and costs twelve in memory, and what a stack
// says could not be read.
async function bundle(source: string): Promise<string> {
  const args = ["bundle", "--quiet", "--platform", "deno", "--frozen", source];
  const { success, stdout, stderr } = await runDeno(args, { cwd: ROOT });
  if (!success) throw new BuildFailure(`Cannot bundle "${source}": ${stderr.trim()}`);
  return stdout;
}

/** The program goes last and comes first: by it a folder is known, even if this is cut. */
async function replaceBundle(folder: string, texts: ReadonlyMap<string, string>): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const name of await earlierBundle(folder)) await Deno.remove(join(folder, name));
  for (const [name, text] of texts) {
    // Never through a link that somebody laid there meanwhile.
    await Deno.writeTextFile(join(folder, name), text, { createNew: true });
  }
  if (Deno.build.os !== "windows") await Deno.chmod(join(folder, PROGRAM), 0o755);
}

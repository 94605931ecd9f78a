// Source -> three scripts with everything inside: the program, and what runs in its Workers. What the
// program finds beside them is told by src/host/program_files.ts.

import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { BUNDLE_FLAGS, WORKERS } from "../src/host/program_files.ts";
import { BuildFailure, runDeno } from "./step.ts";
import { type BundledModules, readModules, withoutThisMachine } from "./bundled_modules.ts";

export const ROOT = fileURLToPath(new URL("../", import.meta.url));

export interface BundledProgram extends BundledModules {
  /** Their names, the program first. */
  scripts: string[];
}

/** The script that is run; its Workers' are named by `WORKERS`. */
export const PROGRAM = "zombiecoder.js";

/** Without the variable Deno would ask now and then whether there is a newer one of it. */
export const RUN_COMMAND = `DENO_NO_UPDATE_CHECK=1 deno run ${BUNDLE_FLAGS.join(" ")}`;

/** So that the script can be called by its name, where a Deno is in PATH. */
const HOW_TO_RUN = `#!/usr/bin/env -S ${RUN_COMMAND}\n`;

/** Fills `folder`, which is made anew. */
export async function bundleProgram(folder: string): Promise<BundledProgram> {
  await makeAnew(folder);
  const sources = new Map([[PROGRAM, "main.ts"]]);
  for (const [name, source] of Object.entries(WORKERS)) {
    sources.set(`${name}.js`, join("src/host", source));
  }
  const files = new Set<string>();
  const packages = new Map<string, string>();
  for (const [script, source] of sources) {
    const text = await bundle(source, join(folder, script));
    const modules = readModules(text);
    for (const file of modules.files) files.add(file);
    for (const [name, path] of modules.packages) packages.set(name, resolve(ROOT, path));
    const first = script === PROGRAM ? HOW_TO_RUN : "";
    await Deno.writeTextFile(join(folder, script), first + withoutThisMachine(text));
  }
  if (Deno.build.os !== "windows") await Deno.chmod(join(folder, PROGRAM), 0o755);
  return { scripts: [...sources.keys()], files, packages };
}

// Not minified: that saves half a megabyte on the disk and costs twelve in memory, and what a stack
// says could not be read.
async function bundle(source: string, path: string): Promise<string> {
  const args = ["bundle", "--quiet", "--platform", "deno", "--frozen", "-o", path, source];
  const { success, stderr } = await runDeno(args, { cwd: ROOT });
  if (!success) throw new BuildFailure(`Cannot bundle "${source}": ${stderr.trim()}`);
  return await Deno.readTextFile(path);
}

async function makeAnew(folder: string): Promise<void> {
  try {
    await Deno.remove(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(folder, { recursive: true });
}

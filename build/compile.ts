// `deno task compile` and `deno task compile:all`: one file for each system, with all of the program
// inside, and what a release says about them.

import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { VERSION } from "../src/version.ts";
import { bundleProgram, ROOT } from "./bundle_program.ts";
import { baseFor, type BaseProgram, deno, unavailable } from "./base_program.ts";
import { compileArgs } from "./compile_args.ts";
import { icon } from "./icon.ts";
import { checkPapers } from "./output_folder.ts";
import { writePapers } from "./papers.ts";
import { checkRuntime, packRuntime } from "./runtime_archive.ts";
import { BuildFailure, outFolder, print, run, runBuild, WrongArguments } from "./step.ts";
import { type Target, targetNamed, TARGETS } from "./targets.ts";

const USAGE = "Usage: deno task compile [--target TRIPLE] [--with-runtime DIR] [--out DIR], " +
  "or deno task compile:all [--out DIR]";

interface Wishes {
  targets: readonly Target[];
  /** Called `zombiecoder`, not as in a release. */
  forThisMachine: boolean;
  withRuntime: string | null;
  out: string;
}

async function main(): Promise<number> {
  const { targets, forThisMachine, withRuntime, out } = readArguments();
  // First all that can be wrong: nothing is touched before.
  const bases = new Map<Target, BaseProgram | null>();
  for (const target of targets) {
    bases.set(target, await baseFor(target, { isOnly: targets.length === 1 }));
  }
  if (withRuntime !== null) await checkRuntime(withRuntime, targets[0]!);
  await checkPapers(out);
  const bundle = join(out, "bundle");
  const program = await bundleProgram(bundle);
  const runtime = withRuntime === null
    ? null
    : await packRuntime(withRuntime, { into: bundle, target: targets[0]! });
  const iconPath = join(bundle, "zombiecoder.ico");
  if (targets.some(({ os }) => os === "windows")) await Deno.writeFile(iconPath, icon());
  const names = new Map<string, string>();
  for (const target of targets) {
    const name = forThisMachine ? ownName(target) : target.file;
    const output = join(out, name);
    const base = bases.get(target) ?? null;
    const args = compileArgs({
      target,
      scripts: program.scripts,
      withRuntime: runtime !== null,
      output,
      icon: iconPath,
    });
    await compile(args, { folder: bundle, target, base });
    names.set(name, target.triple);
    await printSize(output, base);
  }
  await writePapers(out, { targets: names, contents: { packages: program.packages, runtime } });
  for (const [name, triple] of names) {
    if (triple === Deno.build.target) await checkRuns(join(out, name));
  }
  return 0;
}

function readArguments(): Wishes {
  const { values } = parsed();
  if (values.all === true && (values.target ?? values["with-runtime"]) !== undefined) {
    throw new WrongArguments(`A runtime, and --target, are for one system at a time. ${USAGE}`);
  }
  const triple = values.target ?? Deno.build.target;
  const target = targetNamed(triple);
  if (target === null && values.all !== true) {
    const known = TARGETS.map((each) => each.triple).join(", ");
    throw new WrongArguments(`Cannot compile for "${triple}": it is one of ${known}`);
  }
  return {
    targets: values.all === true ? TARGETS : [target!],
    forThisMachine: values.all !== true && values.target === undefined,
    withRuntime: values["with-runtime"] ?? null,
    out: outFolder(values.out, join(ROOT, "dist")),
  };
}

function parsed() {
  try {
    return parseArgs({
      args: Deno.args,
      options: {
        all: { type: "boolean" },
        target: { type: "string" },
        "with-runtime": { type: "string" },
        out: { type: "string" },
      },
    });
  } catch (error) {
    throw new WrongArguments(`${error instanceof Error ? error.message : error}. ${USAGE}`);
  }
}

function ownName({ os }: Target): string {
  return os === "windows" ? "zombiecoder.exe" : "zombiecoder";
}

async function compile(
  args: readonly string[],
  { folder, target, base }: { folder: string; target: Target; base: BaseProgram | null },
): Promise<void> {
  const { success, stderr } = await deno(args, { cwd: folder, base });
  if (!success) throw unavailable(stderr, target) ?? new BuildFailure(reasonIn(stderr));
  // The list of what is inside.
  for (const line of stderr.split("\n")) if (/^[├└│]/.test(line)) print(`  ${line}`);
}

async function printSize(path: string, base: BaseProgram | null): Promise<void> {
  const { size } = await Deno.stat(path);
  const ours = base === null ? "" : `, ${megabytes(size - base.sizeBytes)} of it ours`;
  print(`${path}  ${megabytes(size)}${ours}`);
}

/** A base that is no `denort` gives a file that is another program: nobody should be handed that. */
async function checkRuns(path: string): Promise<void> {
  const { stdout } = await run(path, ["version"], { cwd: resolve(path, "..") });
  if (stdout.trim() === `zombiecoder ${VERSION}`) return;
  throw new BuildFailure(
    `Made "${
      basename(path)
    }", but it does not run as zombiecoder: its base is not denort. Name one with DENORT_BIN`,
  );
}

function megabytes(sizeBytes: number): string {
  return `${(sizeBytes / 1e6).toFixed(1)} MB`;
}

/** Of an error with its causes the last one says most; where it was thrown, nobody needs. */
function reasonIn(stderr: string): string {
  const lines = stderr.split(/^Stack backtrace:/m)[0]!.trim().split("\n");
  const cause = lines.at(-1)!.replace(/^\s*(\d+:)?\s*(error:)?\s*/, "");
  // Its flags are not ours.
  const remedy = " Move it away, or name another folder with --out DIR";
  return `Cannot compile: ${cause.replace(/ [^.]+`--output <file-path>` flag .*/, remedy)}`;
}

if (import.meta.main) await runBuild(main);

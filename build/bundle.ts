// `deno task bundle`: the program as scripts that need nothing but Deno, in dist/bundle.

import { join } from "node:path";
import { parseArgs } from "node:util";
import { inQuotes } from "../src/connect_tools.ts";
import { RUNTIME_ARCHIVE, RUNTIME_RECORD } from "../src/host/embedded_runtime.ts";
import { bundleProgram, ROOT, RUN_COMMAND } from "./bundle_program.ts";
import { PROGRAM } from "./output_folder.ts";
import { writePapers } from "./papers.ts";
import { checkRuntime, packRuntime } from "./runtime_archive.ts";
import { BuildFailure, outFolder, print, runBuild, WrongArguments } from "./step.ts";
import { targetNamed } from "./targets.ts";

const USAGE = "Usage: deno task bundle [--out DIR] [--with-runtime DIR]";

async function main(): Promise<number> {
  const { out, withRuntime } = readArguments();
  const target = targetNamed(Deno.build.target);
  if (withRuntime !== null) {
    if (target === null) {
      throw new BuildFailure(`Cannot embed a runtime for ${Deno.build.os} on ${Deno.build.arch}`);
    }
    await checkRuntime(withRuntime, target);
  }
  const { scripts, packages } = await bundleProgram(out);
  const targets = new Map(scripts.map((script) => [script, "deno"]));
  const runtime = withRuntime === null
    ? null
    : await packRuntime(withRuntime, { into: out, target: target! });
  if (runtime !== null) {
    for (const file of [RUNTIME_ARCHIVE, RUNTIME_RECORD]) targets.set(file, target!.triple);
  }
  await writePapers(out, { targets, contents: { packages, runtime } });
  for (const file of targets.keys()) {
    const { size } = await Deno.stat(join(out, file));
    print(`${join(out, file)}  ${(size / 1e6).toFixed(2)} MB`);
  }
  print(`Run it with: ${RUN_COMMAND} ${inQuotes(join(out, PROGRAM))}`);
  return 0;
}

function readArguments(): { out: string; withRuntime: string | null } {
  const { values } = parsed();
  return {
    out: outFolder(values.out, join(ROOT, "dist", "bundle")),
    withRuntime: values["with-runtime"] ?? null,
  };
}

function parsed() {
  try {
    return parseArgs({
      args: Deno.args,
      options: { out: { type: "string" }, "with-runtime": { type: "string" } },
    });
  } catch (error) {
    throw new WrongArguments(`${error instanceof Error ? error.message : error}. ${USAGE}`);
  }
}

if (import.meta.main) await runBuild(main);

// `deno task bundle`: the program as scripts that need nothing but Deno, in dist/bundle.

import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundleProgram, PROGRAM, ROOT, RUN_COMMAND } from "./bundle_program.ts";
import { packRuntime } from "./runtime_archive.ts";
import { BuildFailure, print, runBuild, WrongArguments } from "./step.ts";
import { TARGETS } from "./targets.ts";
import { RUNTIME_ARCHIVE } from "../src/host/embedded_runtime.ts";

const USAGE = "Usage: deno task bundle [--out DIR] [--with-runtime DIR]";

async function main(): Promise<number> {
  const { out, withRuntime } = readArguments();
  const { scripts } = await bundleProgram(out);
  const files = [...scripts];
  if (withRuntime !== null) {
    const { os, arch } = Deno.build;
    const target = TARGETS.find((each) => each.os === os && each.arch === arch);
    if (target === undefined) throw new BuildFailure(`Cannot embed a runtime for ${os} on ${arch}`);
    await packRuntime(withRuntime, { into: out, target });
    files.push(RUNTIME_ARCHIVE);
  }
  for (const file of files) {
    const { size } = await Deno.stat(join(out, file));
    print(`${join(out, file)}  ${(size / 1e6).toFixed(2)} MB`);
  }
  print(
    `Run it with: ${RUN_COMMAND} ${join(out, PROGRAM)}`,
  );
  return 0;
}

function readArguments(): { out: string; withRuntime: string | null } {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: { out: { type: "string" }, "with-runtime": { type: "string" } },
    });
    return {
      out: values.out ?? join(ROOT, "dist", "bundle"),
      withRuntime: values["with-runtime"] ?? null,
    };
  } catch (error) {
    throw new WrongArguments(`${error instanceof Error ? error.message : error}. ${USAGE}`);
  }
}

if (import.meta.main) await runBuild(main);

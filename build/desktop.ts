// `deno task desktop`: the program in a native window, in dist. Its base is Deno's own, which fetches it.

import { join } from "node:path";
import { bundleProgram, ROOT } from "./bundle_program.ts";
import { desktopArgs, desktopSettings, outputName, unavailableBase } from "./desktop_args.ts";
import { BuildFailure, print, runBuild, runDeno, WrongArguments } from "./step.ts";

async function main(): Promise<number> {
  if (Deno.args.length > 0) throw new WrongArguments("Usage: deno task desktop");
  const folder = join(ROOT, "dist", "desktop");
  const { scripts } = await bundleProgram(folder);
  await Deno.writeTextFile(join(folder, "deno.json"), desktopSettings());
  const output = join(ROOT, "dist", outputName(Deno.build.os));
  const { success, stderr } = await runDeno(desktopArgs({ scripts, output }), { cwd: folder });
  if (!success) {
    const why = stderr.trim().split("\n").at(-1) ?? "";
    throw unavailableBase(stderr) ?? new BuildFailure(`Cannot make the window: ${why}`);
  }
  print(output);
  return 0;
}

if (import.meta.main) await runBuild(main);

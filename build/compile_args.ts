// What `deno compile` is told for one target (pure).

import { PROGRAM } from "./output_folder.ts";
import { RUNTIME_ARCHIVE, RUNTIME_RECORD } from "../src/host/embedded_runtime.ts";
import type { Target } from "./targets.ts";

export interface CompileWishes {
  target: Pick<Target, "triple" | "os">;
  /** The bundle's scripts, the program first; `deno compile` runs in their folder. */
  scripts: readonly string[];
  withRuntime: boolean;
  /** The executable. */
  output: string;
  /** For Windows. */
  icon: string;
}

/**
 * All permissions, since the host needs `/proc`, which Deno gives to nobody who lacks one of them, not
 * even `import`: it is the host that narrows the server. Nothing is asked for (`--no-prompt`), and
 * nothing outside of the scripts has a say: no settings file, no lock, no package.
 */
export function compileArgs(wishes: CompileWishes): string[] {
  const { target, scripts, withRuntime, output, icon } = wishes;
  const beside = [
    ...scripts.filter((script) => script !== PROGRAM),
    ...(withRuntime ? [RUNTIME_ARCHIVE, RUNTIME_RECORD] : []),
  ];
  return [
    ...["compile", "-A", "--no-prompt", "--unstable-worker-options", "--unstable-no-legacy-abort"],
    ...["--no-config", "--no-lock", "--no-remote", "--no-npm", "--no-check"],
    // A code cache would be a file that a first start leaves in the temporary folder.
    "--no-code-cache",
    ...["--app-name", "zombiecoder", "--target", target.triple],
    ...(target.os === "windows" ? ["--icon", icon] : []),
    ...beside.flatMap((file) => ["--include", file]),
    ...["--output", output, PROGRAM],
  ];
}

// A program of ours in the place of llama-server, for what no test model can be made to do. What is asked
// of a build is answered by the real one.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { testRuntime } from "./llama_server.ts";

export interface StandIn {
  /** Its module, from this folder. */
  program: string;
  /** Before those that the host gives it. */
  args: readonly string[];
}

/** Writes a script to `path`, for `--llama-server`. */
export async function writeStandIn(path: string, { program, args }: StandIn): Promise<void> {
  const module = fileURLToPath(new URL(program, import.meta.url));
  const run = [Deno.execPath(), "run", "-A", "--quiet", "--no-config", "--no-lock", module];
  const script = [
    "#!/bin/sh",
    'case "$1" in',
    `--version|--list-devices|-h) exec ${quoted(await testRuntime())} "$@" ;;`,
    "esac",
    `export DENO_DIR=${quoted(join(dirname(path), "deno"))} DENO_NO_UPDATE_CHECK=1`,
    `exec ${[...run, ...args].map(quoted).join(" ")} "$@"`,
    "",
  ];
  await Deno.writeTextFile(path, script.join("\n"), { mode: 0o755 });
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

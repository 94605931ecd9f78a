// A program that answers only the three questions of the runtime probe: for builds that are old,
// broken or see a GPU. Whatever loads a model uses the real one, `llama_server.ts`.

export interface ScriptServerOptions {
  /** Text on stderr for `--version`. */
  version?: string;
  /** Lines on stdout below `Available devices:`. */
  devices?: readonly string[];
  /** Lines on stdout for `-h`. */
  help?: string[];
  /** Exit code of each answer. */
  code?: number;
  /** Appends each argument to this file. */
  record?: string;
  /** Shell text that runs first. */
  first?: string;
}

export function scriptServer(options: ScriptServerOptions = {}): string {
  const {
    version = "version: 11118 (abcdef123)",
    devices = ["  (none)"],
    help = ["-m,    --model FNAME    model path"],
    code = 0,
  } = options;
  const print = (lines: string[]) => lines.map((line) => `printf '%s\\n' '${line}'`).join("; ");
  return [
    "#!/bin/sh",
    options.first ?? "",
    options.record === undefined ? "" : `echo "$1" >> '${options.record}'`,
    'case "$1" in',
    `--version) ${print(version.split("\n"))} >&2 ;;`,
    `--list-devices) ${print(["Available devices:", ...devices])} ;;`,
    `-h) ${print(help)} ;;`,
    "esac",
    `exit ${code}`,
    "",
  ].join("\n");
}

export async function writeScriptServer(path: string, options: ScriptServerOptions = {}) {
  await Deno.writeTextFile(path, scriptServer(options), { mode: 0o755 });
}

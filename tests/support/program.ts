// `main.ts`, started with any arguments: what it prints, how it ends. For a server that is meant to get
// ready there is `server_process.ts`.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { testRuntime } from "./llama_server.ts";
import { cageEnv } from "./test_cage.ts";

export interface Program extends AsyncDisposable {
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves after the last byte of its output. */
  readonly ended: Promise<Deno.CommandStatus>;
  kill(signal: Deno.Signal): void;
}

const ROOT = new URL("../../", import.meta.url);

export interface HowToStart {
  /** A program and its first arguments; by default the source of this tree. */
  command: readonly string[];
  cwd: string;
}

/** With all rights, or with these flags. */
export function fromSource(permissions: readonly string[] = ["-A"]): HowToStart {
  return {
    command: [
      Deno.execPath(),
      ...["run", ...permissions, "--no-prompt", "--quiet", "--cached-only", "main.ts"],
    ],
    cwd: fileURLToPath(ROOT),
  };
}

export function startProgram(
  args: string[],
  env: Record<string, string> = {},
  { command, cwd }: HowToStart = fromSource(),
): Program {
  const [program, ...first] = command;
  const child = new Deno.Command(program!, {
    args: [...first, ...args],
    cwd,
    env: { NO_COLOR: "1", ...cageEnv(), ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = { stdout: "", stderr: "" };
  async function collect(name: "stdout" | "stderr"): Promise<void> {
    for await (const text of child[name].pipeThrough(new TextDecoderStream())) said[name] += text;
  }
  const ended = Promise.all([child.status, collect("stdout"), collect("stderr")])
    .then(([status]) => status);
  function kill(signal: Deno.Signal): void {
    try {
      child.kill(signal);
    } catch (error) {
      // It has ended.
      if (!(error instanceof TypeError)) throw error;
    }
  }
  return {
    pid: child.pid,
    get stdout() {
      return said.stdout;
    },
    get stderr() {
      return said.stderr;
    },
    ended,
    kill,
    async [Symbol.asyncDispose]() {
      kill("SIGKILL");
      await ended;
    },
  };
}

/** Arguments of a start in this folder; whatever is given comes last. */
export async function serveArgs(dir: string, ...flags: string[]): Promise<string[]> {
  const folders = ["--home", join(dir, "home"), "--runtime-home", join(dir, "runtime")];
  return ["serve", ...folders, "--llama-server", await testRuntime(), "--no-open", ...flags];
}

// A command of the program without a terminal: what it prints, how it ends.

import assert from "node:assert/strict";
import { join } from "node:path";
import { endServer } from "../../src/host/detached_server.ts";
import { testRuntime } from "./llama_server.ts";
import type { ServerProcess } from "./server_process.ts";
import { tempDir } from "./temp_dir.ts";
import { cageEnv } from "./test_cage.ts";

export interface CliOptions {
  env?: Record<string, string>;
  /** What stands on standard input; nothing by default. */
  input?: string;
  cwd?: string;
  /** By default the one that runs the tests. */
  deno?: string;
}

export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

const ROOT = new URL("../../", import.meta.url);

/** By environment, so that the words are the command's alone. */
export function cliEnv(
  server: Pick<ServerProcess, "home" | "runtimeHome">,
): Record<string, string> {
  return { ZOMBIE_HOME: server.home, ZOMBIE_RUNTIME_HOME: server.runtimeHome };
}

export function spawnCli(args: readonly string[], options: CliOptions = {}): Deno.ChildProcess {
  return new Deno.Command(options.deno ?? Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-prompt", "--quiet", "--cached-only"],
      ...[new URL("main.ts", ROOT).pathname, ...args],
    ],
    cwd: options.cwd ?? ROOT.pathname,
    env: { NO_COLOR: "1", ...options.env },
    stdin: options.input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

export async function cli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const child = spawnCli(args, options);
  if (options.input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.input));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** What it prints, where it must end well. */
export async function told(args: readonly string[], options: CliOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await cli(args, options);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

export interface CliHome extends AsyncDisposable {
  readonly home: string;
  readonly env: Record<string, string>;
}

/** A home in which commands start their own server; it ends with the home. */
export async function cliHome(env: Record<string, string> = {}): Promise<CliHome> {
  const dir = await tempDir();
  const home = join(dir.path, "home");
  return {
    home,
    env: { ...await startEnv(home), XDG_RUNTIME_DIR: dir.path, ...env },
    async [Symbol.asyncDispose]() {
      await endServer(home);
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** What a server that a command starts here must be told. */
export async function startEnv(home: string): Promise<Record<string, string>> {
  return {
    ZOMBIE_HOME: home,
    ZOMBIE_RUNTIME_HOME: join(home, "..", "runtime"),
    ZOMBIE_PORT: "0",
    ZOMBIE_HOST: "127.0.0.1",
    ZOMBIE_RUNTIME_PORTS: "28080-28100",
    ZOMBIE_LLAMA_SERVER: await testRuntime(),
    ...cageEnv(),
  };
}

/** What a user sees of a failure: one line, no stack, nothing on standard output. */
export function assertOneLine({ stdout, stderr }: CliResult, what: string): void {
  assert.equal(stdout, "", what);
  assert.match(stderr, /^\S[^\n]*[^.\n]\n$/, `${what}: ${stderr}`);
  assert.doesNotMatch(stderr, /^\s+at |\.ts\b|\bbug\b/m, what);
}

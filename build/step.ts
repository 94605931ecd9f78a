// What every step of a build uses: words for the terminal, and programs that may fail with a reason.

import { resolve } from "node:path";

/** A build that cannot go on for a reason that the user can change: told in one line, without a stack. */
export class BuildFailure extends Error {}

export function print(text: string): void {
  write(Deno.stdout, text);
}

export function printNote(text: string): void {
  write(Deno.stderr, text);
}

/** Runs a build to its exit code: 1 with one line where it cannot go on, 2 where it was told wrong. */
export async function runBuild(build: () => Promise<number>): Promise<never> {
  try {
    Deno.exit(await build());
  } catch (error) {
    if (error instanceof WrongArguments || error instanceof BuildFailure) {
      printNote(error.message);
      Deno.exit(error instanceof WrongArguments ? 2 : 1);
    }
    // A disk that is full or a folder of somebody else's: no bug of ours.
    if (/^E[A-Z]+$/.test(`${(error as { code?: unknown } | null)?.code}`)) {
      printNote(`Cannot go on: ${(error as Error).message}`);
      Deno.exit(1);
    }
    throw error;
  }
}

export class WrongArguments extends Error {}

/** The value of `--out`, as an absolute path. */
export function outFolder(given: string | undefined, byDefault: string): string {
  // As of a variable that is not set: the working folder would be meant by nobody.
  if (given === "") throw new WrongArguments("Cannot use --out without a folder: write --out DIR");
  return resolve(given ?? byDefault);
}

export interface Ran {
  success: boolean;
  stdout: string;
  stderr: string;
}

/** Runs this Deno itself, in `cwd`, without colors. */
export async function runDeno(
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<Ran> {
  return await run(Deno.execPath(), args, options);
}

export async function run(
  program: string,
  args: readonly string[],
  { cwd, env = {} }: { cwd: string; env?: Record<string, string> },
): Promise<Ran> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

function write(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(`${text}\n`);
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}

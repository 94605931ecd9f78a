// Runs one of the system's own tools for its output, for a bounded time. Tools are named by full path.

import { within } from "../../within.ts";

export interface CommandResult {
  code: number;
  stdout: string;
}

/** Null: the tool is not there, could not be started, or took longer than `timeoutMs`. */
export type RunCommand = (
  command: string,
  args: string[],
  timeoutMs: number,
) => Promise<CommandResult | null>;

/** A killed child is normally reaped at once; one that hangs inside a driver never is. */
const REAP_GRACE_MS = 200;

export async function runCommand(
  command: string,
  args: string[],
  timeoutMs: number,
): Promise<CommandResult | null> {
  const child = spawn(command, args);
  if (child === null) return null;
  const output = child.output();
  const inTime = await within(output, timeoutMs);
  if (inTime !== null) {
    return { code: inTime.code, stdout: new TextDecoder().decode(inTime.stdout) };
  }
  kill(child);
  if (await within(output, REAP_GRACE_MS) === null) {
    // It hangs in the kernel: let it not keep us alive, and ignore what it may still say.
    child.unref();
    output.catch(() => {});
  }
  return null;
}

function spawn(command: string, args: string[]): Deno.ChildProcess | null {
  try {
    return new Deno.Command(command, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      // The tools get none of our keys. Windows programs cannot start without their environment.
      clearEnv: Deno.build.os !== "windows",
      env: { LC_ALL: "C", ...(Deno.build.os === "windows" ? {} : { PATH: "/usr/bin:/bin" }) },
    }).spawn();
  } catch (error) {
    // Missing, not executable, or too many processes: all the same to one who asks for a fact.
    if (error instanceof Error) return null;
    throw error;
  }
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    // TypeError: it has ended by itself in the meantime.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

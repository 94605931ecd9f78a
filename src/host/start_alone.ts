// Starts a program of the user's that outlives us: nothing ties it to this process or to its terminal.

export interface AloneOptions {
  args: readonly string[];
  /** The whole of it. */
  env: Readonly<Record<string, string>>;
  cwd?: string;
}

/** A pipe would break with our end; Ctrl-C and the end of this terminal do not reach it. */
export const ALONE = {
  stdin: "null",
  stdout: "null",
  stderr: "null",
  detached: true,
} as const satisfies Deno.CommandOptions;

/** Null where the system does not start it. */
export function startAlone(
  program: string,
  { args, env, cwd }: AloneOptions,
): Deno.ChildProcess | null {
  try {
    const child = new Deno.Command(program, {
      args: [...args],
      env: { ...env },
      clearEnv: true,
      ...(cwd !== undefined && { cwd }),
      ...ALONE,
    }).spawn();
    child.unref();
    return child;
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
}

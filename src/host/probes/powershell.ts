// Windows PowerShell for questions that have no file. One start costs half a second to two.

import type { RunCommand } from "./run_command.ts";

/** By full path: a search would look beside the program and in the current folder first. */
const POWERSHELL = "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe";
const TIMEOUT_MS = 15_000;

/** What the script printed; null where it failed or took too long. No double quotes in `script`. */
export async function runPowershell(run: RunCommand, script: string): Promise<string | null> {
  const result = await run(
    POWERSHELL,
    ["-NoLogo", "-NoProfile", "-NonInteractive", "-Command", script],
    TIMEOUT_MS,
  );
  return result?.code === 0 ? result.stdout : null;
}

// Processes on Windows, from WMI. No tool there shows the environment of another process, so a
// token is known only where it stands in the command line; without one nothing is ever taken for ours.

import {
  isToken,
  type ProcessFacts,
  type ProcessProbe,
  TOKEN_VARIABLE,
  tokenIn,
} from "./process_identity.ts";
import { runPowershell } from "./powershell.ts";
import type { RunCommand } from "./run_command.ts";

const BOOT_SCRIPT = "(Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToFileTimeUtc()";

/** FILETIME as text: it has more digits than a JSON number keeps. */
const FIELDS = "Select-Object ProcessId,WorkingSetSize,CommandLine," +
  "@{n='Started';e={[string]$_.CreationDate.ToFileTimeUtc()}}";

export interface WindowsProcess extends ProcessFacts {
  pid: number;
}

/** JSON of one process, of an array of them, or nothing. */
export function parseWindowsProcesses(text: string): WindowsProcess[] {
  const value = parse(text.replace(/^\uFEFF/, ""));
  const rows: unknown[] = Array.isArray(value) ? value : [value];
  return rows.flatMap((row) => {
    if (typeof row !== "object" || row === null) return [];
    const { ProcessId, WorkingSetSize, CommandLine, Started } = row as Record<string, unknown>;
    if (typeof ProcessId !== "number" || typeof Started !== "string" || !/^\d+$/.test(Started)) {
      return [];
    }
    return [{
      pid: ProcessId,
      startTime: Started,
      // Windows has no processes that ended and are still listed here.
      state: "R",
      rssBytes: typeof WorkingSetSize === "number" ? WorkingSetSize : null,
      token: typeof CommandLine === "string"
        ? tokenIn(CommandLine.replaceAll('"', " ").split(/\s+/))
        : null,
    }];
  });
}

export class WindowsProcessProbe implements ProcessProbe {
  readonly #run: RunCommand;
  #boot: Promise<string> | null = null;

  constructor(run: RunCommand) {
    this.#run = run;
  }

  bootId(): Promise<string> {
    this.#boot ??= runPowershell(this.#run, BOOT_SCRIPT).then((text) => text?.trim() ?? "");
    return this.#boot;
  }

  async readProcess(pid: number): Promise<ProcessFacts | null> {
    if (!Number.isSafeInteger(pid) || pid < 1) return null;
    const text = await runPowershell(
      this.#run,
      `Get-CimInstance Win32_Process -Filter 'ProcessId=${pid}'|${FIELDS}|ConvertTo-Json -Compress`,
    );
    const [process] = parseWindowsProcesses(text ?? "");
    if (process?.pid !== pid) return null;
    const { startTime, state, rssBytes, token } = process;
    return { startTime, state, rssBytes, token };
  }

  /** The token is no part of the script, which PowerShell's own command line would show. */
  async findByToken(token: string): Promise<number[]> {
    if (!isToken(token)) return [];
    const text = await runPowershell(
      this.#run,
      `Get-CimInstance Win32_Process|Where-Object{$_.CommandLine -like '*${TOKEN_VARIABLE}=*'}|` +
        `${FIELDS}|ConvertTo-Json -Compress`,
    );
    return parseWindowsProcesses(text ?? "")
      .filter((process) => process.token === token && process.pid > 1 && process.pid !== Deno.pid)
      .map((process) => process.pid);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

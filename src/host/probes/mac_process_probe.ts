// Processes on macOS, from `ps`. It shows the environment of the user's own programs, after the
// arguments and not set apart from them; of Apple's protected programs it shows none.

import {
  isToken,
  type ProcessFacts,
  type ProcessProbe,
  TOKEN_VARIABLE,
  tokenIn,
} from "./process_identity.ts";
import type { RunCommand } from "./run_command.ts";

const PS = "/bin/ps";
const TIMEOUT_MS = 3000;

/** `lstart` is always five words in the C locale, to the second; then state, KiB, command. */
const LINE =
  /^\s*(\w{3}\s+\w{3}\s+\d{1,2}\s+\d{2}:\d{2}:\d{2}\s+\d{4})\s+(\S+)\s+(\d+)(?:\s+(.*))?$/;

/** One line of `ps -o lstart=,state=,rss=,command=`. */
export function parsePsLine(line: string): ProcessFacts | null {
  const [, startTime, state, kibibytes, command] = LINE.exec(line) ?? [];
  if (startTime === undefined || state === undefined) return null;
  return {
    startTime: startTime.replace(/\s+/g, " "),
    state,
    rssBytes: Number(kibibytes) * 1024,
    token: tokenIn((command ?? "").split(" ")),
  };
}

/** Lines of `ps -o pid=,command=`: the pids whose environment holds the token. */
export function parsePsTokens(text: string, token: string): number[] {
  return text.split("\n").flatMap((line) => {
    const [, pid, command] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? [];
    return command !== undefined && tokenIn(command.split(" ")) === token ? [Number(pid)] : [];
  });
}

export class MacProcessProbe implements ProcessProbe {
  readonly #run: RunCommand;
  #boot: Promise<string> | null = null;

  constructor(run: RunCommand) {
    this.#run = run;
  }

  bootId(): Promise<string> {
    this.#boot ??= this.#run("/usr/sbin/sysctl", ["-n", "kern.bootsessionuuid"], TIMEOUT_MS)
      .then((result) => result?.code === 0 ? result.stdout.trim() : "");
    return this.#boot;
  }

  async readProcess(pid: number): Promise<ProcessFacts | null> {
    if (!Number.isSafeInteger(pid) || pid < 1) return null;
    const result = await this.#run(
      PS,
      ["-wwE", "-o", "lstart=,state=,rss=,command=", "-p", String(pid)],
      TIMEOUT_MS,
    );
    return result?.code === 0 ? parsePsLine(result.stdout.split("\n")[0] ?? "") : null;
  }

  async findByToken(token: string): Promise<number[]> {
    if (!isToken(token)) return [];
    // Without -a these are the user's own processes; -x adds those without a terminal.
    const result = await this.#run(PS, ["-xwwE", "-o", "pid=,command="], TIMEOUT_MS);
    if (result?.code !== 0 || !result.stdout.includes(TOKEN_VARIABLE)) return [];
    return parsePsTokens(result.stdout, token).filter((pid) => pid > 1 && pid !== Deno.pid);
  }
}

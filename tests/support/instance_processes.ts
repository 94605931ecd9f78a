// Processes that carry a token of ours, and their environment, as the system itself shows them: what a
// test counts must not come from the code that it tests.

import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { isAlive } from "./model_processes.ts";

/** Pids of living processes that were started as instances with this text in their arguments. */
export function instancesWith(text: string): number[] {
  return startedWith(text).filter((pid) => !isWrapper(pid));
}

/** Those, and the wrappers of their cages: when all is over none of them may be left. */
export function startedWith(text: string): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) =>
    read(`/proc/${pid}/cmdline`).includes(text) &&
    environmentOf(pid).has("ZOMBIE_INSTANCE_TOKEN") && isAlive(pid)
  );
}

function isWrapper(pid: number): boolean {
  const [program = ""] = read(`/proc/${pid}/cmdline`).split("\0");
  return ["bwrap", "setpriv", "setsid", "sh"].includes(basename(program));
}

export function environmentOf(pid: number): Map<string, string> {
  const entries = read(`/proc/${pid}/environ`).split("\0").filter((entry) => entry !== "");
  return new Map(entries.map((entry) => {
    const equals = entry.indexOf("=");
    return [entry.slice(0, equals), entry.slice(equals + 1)];
  }));
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // It went meanwhile.
    return "";
  }
}

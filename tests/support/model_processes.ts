// The llama-server processes of one home, as the system itself lists them.

import { basename } from "node:path";

export interface ModelProcess {
  pid: number;
  modelPath: string;
  /** Its command line, the program first. */
  args: string[];
}

/** Those that serve a model file of this home; Linux only. */
export function modelProcesses(home: string): ModelProcess[] {
  const found: ModelProcess[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const args = argumentsOf(name);
    const modelPath = args[args.indexOf("-m") + 1] ?? "";
    if (basename(args[0] ?? "") !== "llama-server" || !modelPath.startsWith(`${home}/`)) continue;
    found.push({ pid: Number(name), modelPath, args });
  }
  return found;
}

/** A process that ended and is not reaped yet counts as gone. */
export function isAlive(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  // The name in parentheses may hold anything.
  return stat !== "" && stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
}

// A process that has ended has no arguments.
function argumentsOf(pid: string): string[] {
  return read(`/proc/${pid}/cmdline`).split("\0").slice(0, -1);
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    // It ended between two looks: the system says either.
    if (error instanceof Deno.errors.NotFound || String(error).includes("os error 3")) return "";
    throw error;
  }
}

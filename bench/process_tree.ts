// A process and all below it, as /proc shows them: for memory, and to see that nothing is left.

import { waitUntil } from "./waiting.ts";

/** How long a process may take to end by itself before it is killed. */
const PATIENCE_MS = 2000;
const END_TIMEOUT_MS = 8000;

export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** Clock ticks since boot; with the pid it names one process for ever. */
  readonly startTicks: number;
  /** Resident memory; pages shared with others count in each. */
  readonly rssBytes: number;
}

/** The root and its living descendants; empty where the root is gone. */
export function processTree(root: number): ProcessFacts[] {
  const all = livingProcesses();
  const tree = all.filter((each) => each.pid === root);
  for (const parent of tree) tree.push(...all.filter((each) => each.parent === parent.pid));
  return tree;
}

/** Resident memory of the tree in MB (10^6 bytes), less every llama-server below its root. */
export function gatewayMemoryMb(root: number): number {
  const tree = processTree(root).filter((each) => each.pid === root || !isLlamaServer(each));
  return tree.reduce((sum, each) => sum + each.rssBytes, 0) / 1e6;
}

/** The llama-server processes below a root. */
export function instancesBelow(root: number): ProcessFacts[] {
  return processTree(root).filter((each) => each.pid !== root && isLlamaServer(each));
}

/** Waits until these processes are gone and kills those that stay: each known by pid and start. */
export async function endProcesses(these: readonly ProcessFacts[]): Promise<void> {
  const killAt = performance.now() + PATIENCE_MS;
  await waitUntil(() => {
    const left = survivors(these);
    if (performance.now() > killAt) left.forEach((each) => signalProcess(each.pid, "SIGKILL"));
    return left.length === 0;
  }, {
    timeoutMs: END_TIMEOUT_MS,
    everyMs: 20,
    what: `the end of ${these.map((each) => `${each.name} (${each.pid})`).join(", ")}`,
  });
}

/** Nothing happens where it has just ended by itself. */
export function signalProcess(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) && !isGone(error)) throw error;
  }
}

function survivors(of: readonly ProcessFacts[]): ProcessFacts[] {
  const all = livingProcesses();
  return of.filter((each) =>
    all.some((now) => now.pid === each.pid && now.startTicks === each.startTicks)
  );
}

/** A process's command line; empty where it is gone. */
export function commandLine(pid: number): string[] {
  const text = readOrNull(`/proc/${pid}/cmdline`) ?? "";
  return text.split("\0").filter((word) => word !== "");
}

function isLlamaServer(facts: ProcessFacts): boolean {
  return facts.name.startsWith("llama-server");
}

function livingProcesses(): ProcessFacts[] {
  const found: ProcessFacts[] = [];
  for (const entry of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    const text = readOrNull(`/proc/${entry.name}/status`);
    // A zombie holds nothing any more, it only waits for its parent.
    if (text === null || /^State:\s+[ZX]/m.test(text)) continue;
    const stat = readOrNull(`/proc/${entry.name}/stat`) ?? "";
    found.push({
      pid: Number(entry.name),
      parent: Number(/^PPid:\s+(\d+)/m.exec(text)?.[1] ?? 0),
      name: /^Name:\s+(.*)/m.exec(text)?.[1] ?? "",
      // Field 22; the name in field 2 may hold blanks and brackets.
      startTicks: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? 0),
      rssBytes: Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024,
    });
  }
  return found;
}

// A process may end between the listing and the reading.
function readOrNull(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || isGone(error)) return null;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && error.message.includes("os error 3");
}

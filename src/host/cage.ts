// How a llama-server is started: the one place that turns "this program with these arguments" into
// what the system is asked to run. The OS sandbox itself belongs here too.

/** What the system is asked to run. */
export interface Launchable {
  program: string;
  args: string[];
  env: Record<string, string>;
  /** The system call itself shall make a process group: dear where nothing else does it. */
  detached: boolean;
}

export interface CageTools {
  /** Absolute path of util-linux's setpriv; null where there is none. */
  setpriv: string | null;
  /** Absolute path of util-linux's setsid; null where there is none. */
  setsid: string | null;
}

/** Which cage holds, in the words of GET /admin/system; null = none. */
export function activeCage(): string | null {
  return null;
}

/**
 * Ties the process to our life and gives it a group of its own. With its parent-death signal the
 * kernel kills it with the thread that started it, also while it loads, when it does not watch its
 * stdin yet (facts/security.md, section 6). The group keeps Ctrl-C in a terminal from reaching it.
 */
export function caged(wanted: Omit<Launchable, "detached">, tools: CageTools): Launchable {
  const words = [wanted.program, ...wanted.args];
  if (tools.setpriv !== null) words.unshift(tools.setpriv, "--pdeathsig", "KILL", "--");
  // Deno's own way copies the page tables of this process first: 3.5 ms against 1 (measured).
  if (tools.setsid !== null) words.unshift(tools.setsid);
  const [program, ...args] = words;
  return { program: program!, args, env: wanted.env, detached: tools.setsid === null };
}

export function findCageTools(platform: string): CageTools {
  if (platform !== "linux") return { setpriv: null, setsid: null };
  return { setpriv: findTool("setpriv"), setsid: findTool("setsid") };
}

function findTool(name: string): string | null {
  return ["/usr/bin", "/bin"].map((folder) => `${folder}/${name}`).find(isFile) ?? null;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

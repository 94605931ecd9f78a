// How a llama-server is started: the one place that turns "this program with these arguments" into
// what the system is asked to run. The OS sandbox itself belongs here too.

/** What the system is asked to run. */
export interface Launchable {
  program: string;
  args: string[];
  env: Record<string, string>;
}

export interface CageTools {
  /** Absolute path of util-linux's setpriv; null where there is none. */
  setpriv: string | null;
}

/** Which cage holds, in the words of GET /admin/system; null = none. */
export function activeCage(): string | null {
  return null;
}

/**
 * Ties the process to our life: the kernel kills it with the thread that started it, also while it
 * loads, when it does not watch its stdin yet (facts/security.md, section 6).
 */
export function caged(launchable: Launchable, tools: CageTools): Launchable {
  if (tools.setpriv === null) return launchable;
  return {
    program: tools.setpriv,
    args: ["--pdeathsig", "KILL", "--", launchable.program, ...launchable.args],
    env: launchable.env,
  };
}

export function findCageTools(platform: string): CageTools {
  if (platform !== "linux") return { setpriv: null };
  return { setpriv: ["/usr/bin/setpriv", "/bin/setpriv"].find(isFile) ?? null };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

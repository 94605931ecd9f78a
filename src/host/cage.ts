// How a llama-server is started: the one place that turns "this program, these arguments, these
// files" into what the system is asked to run. The walls themselves are bubblewrap.ts, landlock.ts
// and sandbox_exec.ts; which of them stand here is cage_probe.ts's.

import { bubblewrapWords } from "./bubblewrap.ts";
import { filterPath, type Walls } from "./cage_view.ts";
import { findProgram } from "./find_program.ts";
import { landlockWords } from "./landlock.ts";
import { sandboxExecWords } from "./sandbox_exec.ts";

/** What the system is asked to run. */
export interface Launchable {
  program: string;
  args: string[];
  env: Record<string, string>;
  /** The system call itself shall make a process group: dear where nothing else does it. */
  detached: boolean;
}

/** What shall run, and in which walls; none without. */
export interface Wanted extends Omit<Launchable, "detached"> {
  walls?: Walls | undefined;
}

export interface CageTools {
  /** Absolute path of util-linux's setpriv; null where there is none. */
  setpriv: string | null;
  /** Absolute path of util-linux's setsid; null where there is none. */
  setsid: string | null;
  /** A shell of the system, which sets limits and opens the filter; null = neither. */
  shell: string | null;
}

const OPEN_FILES = 1_024;
/** In blocks of 512 bytes: 64 MiB. */
const FILE_BLOCKS = 131_072;
/** It goes before us when memory runs out; 1000 would go before all other programs. */
const OUT_OF_MEMORY_SCORE = 500;

/**
 * $1 is our process number: whoever has another parent by now was started too late to be told of our
 * end. $2 is the filter for descriptor 3, $3 the bound on memory in KiB, $4 whether there are walls. No
 * crash leaves prompts on the disk in any case.
 */
const SHELL_SCRIPT = `[ "$1" = "$PPID" ] || exit 1
ulimit -c 0
echo ${OUT_OF_MEMORY_SCORE} 2>/dev/null >/proc/self/oom_score_adj
if [ -n "$4" ]; then
  ulimit -n ${OPEN_FILES}; ulimit -f ${FILE_BLOCKS}
  [ -z "$3" ] || ulimit -d "$3"
fi
[ -z "$2" ] || exec 3<"$2"
shift 4
unset PWD OLDPWD
exec "$@"`;

/**
 * Ties the process to our life and gives it a group of its own. With its parent-death signal the
 * kernel kills it with the thread that started it, also while it loads, when it does not watch its
 * stdin yet (facts/security.md, section 6). The group keeps Ctrl-C in a terminal from reaching it.
 */
export function caged(wanted: Wanted, tools: CageTools): Launchable {
  let words = [wanted.program, ...wanted.args];
  const { walls } = wanted;
  if (walls !== undefined) words = walled(words, walls);
  if (tools.shell !== null) {
    words = [
      ...[tools.shell, "-c", SHELL_SCRIPT, "sh", String(Deno.pid), filterOnFd3(walls)],
      ...[memoryKiB(walls), walls === undefined ? "" : "walls", ...words],
    ];
  }
  // bubblewrap asks for that signal itself, when its inside can follow: killed while it makes that, it
  // leaves it waiting for ever (17 of 60 early kills against 0, where the end of stdin does the rest).
  if (tools.setpriv !== null && walls?.cage.kind !== "bubblewrap") {
    words.unshift(tools.setpriv, "--pdeathsig", "KILL", "--");
  }
  // Deno's own way copies the page tables of this process first: 3.5 ms against 1 (measured).
  if (tools.setsid !== null) words.unshift(tools.setsid);
  const [program, ...args] = words;
  return { program: program!, args, env: wanted.env, detached: tools.setsid === null };
}

function walled(words: readonly string[], { cage, view }: Walls): string[] {
  switch (cage.kind) {
    case "bubblewrap":
      return bubblewrapWords(words, { cage, view });
    case "landlock":
      return landlockWords(words, { cage, view });
    case "sandbox-exec":
      return sandboxExecWords(words, { cage, view });
  }
}

function filterOnFd3(walls: Walls | undefined): string {
  if (walls?.cage.kind !== "bubblewrap") return "";
  return filterPath(walls) ?? "";
}

function memoryKiB(walls: Walls | undefined): string {
  const bytes = walls?.view.privateBytes ?? null;
  return bytes === null ? "" : String(Math.ceil(bytes / 1024));
}

export function findCageTools(platform: string): CageTools {
  if (platform !== "linux") return { setpriv: null, setsid: null, shell: null };
  const find = (name: string) => findProgram(name, ["/usr/bin", "/bin"]);
  return { setpriv: find("setpriv"), setsid: find("setsid"), shell: find("sh") };
}

// Whether walls hold, not only let a program run: a shell inside looks for what it must not find, and its
// words are read here (pure).

import type { CageKind } from "./cage_view.ts";
import type { RunResult } from "./run_program.ts";

/** Any user may read it, and no view of a cage has it. */
const FORBIDDEN = "/etc/passwd";

/** Of the shell's own commands alone, since the filter refuses new processes. */
const SCRIPT = `echo "pid $$"
if read -r line <"$1"; then echo "read $1"; fi
while read -r line; do echo "net $line"; done </proc/net/dev
echo over`;

/** Of the shell. */
export const PROOF_ARGS = ["-c", SCRIPT, "sh", FORBIDDEN];

/** In a system of its own a program is one of the first; outside, thousands came before. */
const HIGHEST_PID = 9;

/** What the walls let through; null where they hold. */
export function openingIn(kind: CageKind, { stdout, stderr, timedOut }: RunResult): string | null {
  const lines = stdout.trim().split("\n");
  if (lines.at(-1) !== "over") {
    const said = timedOut ? "no end" : stderr.trim().split("\n")[0] || "nothing";
    return `a shell in it says: ${said}`;
  }
  if (lines.includes(`read ${FORBIDDEN}`)) return `a program in it reads ${FORBIDDEN}`;
  if (kind !== "bubblewrap") return null;
  const pid = Number(/^pid (\d+)$/m.exec(stdout)?.[1]);
  if (!(pid <= HIGHEST_PID)) return "a program in it is among those of the system";
  // A network that was made for it has carried nothing.
  const used = lines.find((line) => /^net [^\s:|]+: *[1-9]/.test(line));
  return used === undefined ? null : "a program in it sees the network of this computer";
}

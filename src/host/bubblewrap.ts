// The walls of bubblewrap: a file system with nothing but what a launch needs, and no network,
// process, capability or name of the system (pure). Measured in facts/security.md, section 3.1.

import { dirname } from "node:path";
import { filterPath, GPU_DEVICES, type Walls } from "./cage_view.ts";

/** What a caged driver may keep in its temporary folders. */
const TEMPORARY_BYTES = 256 * 1024 * 1024;

/** `words` inside; the filter is expected on descriptor 3. */
export function bubblewrapWords(words: readonly string[], walls: Walls): string[] {
  const { cage, view } = walls;
  const readOnly = (path: string, inside = path) => ["--ro-bind", path, inside];
  const size = cage.sizes === true ? ["--size", String(TEMPORARY_BYTES)] : [];
  return [
    cage.program,
    // Not --new-session: we made one already, and its group is what a kill reaches at once.
    ...["--unshare-all", "--die-with-parent", "--cap-drop", "ALL", "--hostname", "cage"],
    // Root's processes could change the system by writing into /proc/sys, capabilities or not.
    ...["--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"],
    ...(view.gpu
      ? [
        // Before what lies below /tmp: a mount hides what was there.
        ...[...size, "--tmpfs", "/tmp", ...size, "--tmpfs", "/dev/shm"],
        ...GPU_DEVICES.flatMap((path) => ["--dev-bind-try", path, path]),
        ...readOnly("/sys"),
      ]
      : ["--dir", "/tmp"]),
    ...view.libraries.flatMap((path) => ["--ro-bind-try", path, path]),
    ...view.files.flatMap(({ path, real }) => readOnly(real, path)),
    ...(view.writable === null ? [] : ["--bind", view.writable, view.writable]),
    // After what lies in /dev/shm, where a place is made for it.
    ...(view.gpu ? [] : ["--remount-ro", "/dev"]),
    // Where llama.cpp looks for its libraries, too.
    ...["--chdir", dirname(words[0]!), "--remount-ro", "/"],
    ...(filterPath(walls) === null ? [] : ["--seccomp", "3"]),
    "--",
    ...words,
  ];
}

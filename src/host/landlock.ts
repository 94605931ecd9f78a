// The walls of Landlock, put up by util-linux's setpriv where no namespaces can be had: the same files
// as in bubblewrap, and with the filter no network and no new process (pure).

import { type CageView, filterPath, GPU_DEVICES, listedFolders, type Walls } from "./cage_view.ts";

/** What each program asks of the system itself. */
const RANDOM = ["/dev/urandom", "/dev/random", "/dev/zero"];
const READ = "read-file,read-dir,execute";
const READ_FILE = "read-file,execute";

export interface LandlockOptions extends Walls {
  /** Paths that are folders; rights of a folder are refused for a file. Default: asks the system. */
  isFolder?: (path: string) => boolean | null;
  uid?: number | null;
}

export function landlockWords(words: readonly string[], options: LandlockOptions): string[] {
  const { cage, view, isFolder = askFolder, uid = Deno.uid() } = options;
  const filter = filterPath(options);
  const rules = rulesOf(view).flatMap(({ path, rights }) => {
    const folder = isFolder(path);
    if (folder === null) return [];
    return ["--landlock-rule", `path-beneath:${folder ? rights : ofFile(rights)}:${path}`];
  });
  return [
    ...[cage.program, "--no-new-privs"],
    // Only root has any to give up; to others the call itself is forbidden.
    ...(uid === 0 ? ["--inh-caps=-all", "--bounding-set=-all"] : []),
    ...["--landlock-access", "fs", ...rules],
    ...(filter === null ? [] : ["--seccomp-filter", filter]),
    "--",
    ...words,
  ];
}

interface Rule {
  path: string;
  rights: string;
}

function rulesOf(view: CageView): Rule[] {
  const readable = (path: string) => ({ path, rights: READ });
  return [
    ...view.libraries.map(readable),
    ...listedFolders(view).map((path) => ({ path, rights: "read-dir" })),
    ...view.files.map(({ real }) => ({ path: real, rights: "read-file" })),
    ...RANDOM.map((path) => ({ path, rights: "read-file" })),
    { path: "/dev/null", rights: "read-file,write-file" },
    ...(view.writable === null
      ? []
      : [{ path: view.writable, rights: "read-dir,make-sock,remove-file" }]),
    ...(view.gpu
      ? [
        ...GPU_DEVICES.map((path) => ({
          path,
          rights: "read-file,write-file,read-dir,ioctl-dev",
        })),
        ...["/sys", "/proc/driver", "/proc/devices"].map(readable),
      ]
      : []),
  ];
}

function ofFile(rights: string): string {
  const ofFiles = [...READ_FILE.split(","), "write-file", "ioctl-dev"];
  return rights.split(",").filter((right) => ofFiles.includes(right)).join(",");
}

/** Null where nothing is there. */
function askFolder(path: string): boolean | null {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return null;
  }
}

// Which browsers can show one page in a window of its own, and where they are installed (pure). Which of
// them are really there, and work, others find out.

import { posix, win32 } from "node:path";

/** What is known of the user's system. */
export interface DesktopPlaces {
  env: Readonly<Record<string, string | undefined>>;
  homeDir: string | null;
  /** `linux`, `darwin`, `windows`. */
  os: string;
}

const PATH_NAMES = [
  "chromium",
  "chromium-browser",
  "google-chrome-stable",
  "google-chrome",
  "microsoft-edge-stable",
  "microsoft-edge",
];

const MAC_NAMES = ["Google Chrome", "Chromium", "Microsoft Edge"];

const WINDOWS_PATHS = [
  ["Google", "Chrome", "Application", "chrome.exe"],
  ["Chromium", "Application", "chrome.exe"],
  ["Microsoft", "Edge", "Application", "msedge.exe"],
];

/** Absolute paths, the one to try first in front. */
export function browserPaths(places: DesktopPlaces): string[] {
  const { env, homeDir, os } = places;
  if (os === "windows") {
    const roots = [env["ProgramFiles"], env["ProgramFiles(x86)"], env["LOCALAPPDATA"]]
      .filter((root) => root !== undefined && win32.isAbsolute(root)) as string[];
    return WINDOWS_PATHS.flatMap((path) => roots.map((root) => win32.join(root, ...path)));
  }
  if (os === "darwin") {
    const roots = ["/Applications", ...homeDir === null ? [] : [`${homeDir}/Applications`]];
    return MAC_NAMES.flatMap((name) =>
      roots.map((root) => `${root}/${name}.app/Contents/MacOS/${name}`)
    );
  }
  return PATH_NAMES.flatMap((name) => pathsOf(name, env));
}

/** What opens an address with the program that the user chose for addresses, one to try after another. */
export function openers(address: string, { env, os }: DesktopPlaces): [string, ...string[]][] {
  if (os === "windows") {
    const root = env["SystemRoot"] ?? "C:\\Windows";
    const program = win32.join(root, "System32", "rundll32.exe");
    return [[program, "url.dll,FileProtocolHandler", address]];
  }
  if (os === "darwin") return [["/usr/bin/open", address]];
  return [
    ...pathsOf("xdg-open", env).map((path): [string, string] => [path, address]),
    ...pathsOf("gio", env).map((path): [string, string, string] => [path, "open", address]),
    ...pathsOf("x-www-browser", env).map((path): [string, string] => [path, address]),
  ];
}

/** Whether something can be shown to a user here. */
export function hasDesktop({ env, os }: Pick<DesktopPlaces, "env" | "os">): boolean {
  return os === "windows" || os === "darwin" || Boolean(env["DISPLAY"] || env["WAYLAND_DISPLAY"]);
}

/** Whether who started this sits before it: what is opened unasked would surprise somebody else. */
export function isLocalUser({ env }: Pick<DesktopPlaces, "env">): boolean {
  return !env["SSH_CONNECTION"] && !env["SSH_TTY"];
}

/** An entry that is relative means the working folder, which anyone may have filled. */
function pathsOf(name: string, env: DesktopPlaces["env"]): string[] {
  const folders = (env["PATH"] ?? "").split(posix.delimiter).filter(posix.isAbsolute);
  return [...new Set(folders)].map((folder) => posix.join(folder, name));
}

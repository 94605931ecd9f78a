// The walls of macOS: a profile for sandbox-exec (pure). By Apple's reference and reports of others; it
// was not seen working here.

import { type CageView, listedFolders, type Walls } from "./cage_view.ts";

export function sandboxExecWords(words: readonly string[], { cage, view }: Walls): string[] {
  return [cage.program, "-p", profile(words[0]!, view), ...words];
}

/**
 * Nothing is allowed but what is named. A socket in the writable folder is the only thing that can be
 * made there, so that nothing else can stand in its place.
 */
export function profile(program: string, view: CageView): string {
  const lines = [
    "(version 1)",
    "(deny default)",
    '(import "bsd.sb")',
    `(allow process-exec (literal ${quoted(program)}))`,
    "(deny process-fork)",
    "(deny signal (target others))",
    `(allow file-read* file-map-executable (subpath "/System") (subpath "/usr/lib")${
      // Of a file that is the file itself.
      view.libraries.map((path) => ` (subpath ${quoted(path)})`).join("")})`,
    ...listedFolders(view).map((path) => `(allow file-read-data (literal ${quoted(path)}))`),
    ...view.files.flatMap(({ path, real }) => [
      `(allow file-read* (literal ${quoted(real)}))`,
      ...(path === real ? [] : [`(allow file-read* (literal ${quoted(path)}))`]),
    ]),
    "(allow sysctl-read)",
    ...(view.writable === null ? [] : [
      `(allow file-read* (subpath ${quoted(view.writable)}))`,
      `(allow file-write-create file-write-unlink (require-all (subpath ${
        quoted(view.writable)
      }) (vnode-type SOCKET)))`,
      `(allow network-bind network-inbound (local unix-socket (subpath ${quoted(view.writable)})))`,
    ]),
    ...(view.gpu
      ? [
        "(allow iokit-open)",
        '(allow mach-lookup (global-name "com.apple.MTLCompilerService"))',
      ]
      : []),
  ];
  return lines.join("\n");
}

/** As the profile's language quotes: a name is never more than a name. */
function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

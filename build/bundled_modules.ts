// What a bundle says about itself: esbuild writes each module's path above it, as it was on this machine.

export interface BundledModules {
  /** Of this project, by their paths in it. */
  files: Set<string>;
  /** `NAME@VERSION` of the packages of which something is inside -> their folders on this machine. */
  packages: Map<string, string>;
}

/** A package in Deno's cache: folder, name, version. */
const PACKAGE = /^(.*\/npm\/[^/]+\/((?:@[^/]+\/)?[^/]+)\/(\d[^/]*))\//;

/** From the text as it was bundled in the project's root. */
export function readModules(text: string): BundledModules {
  const files = new Set<string>();
  const packages = new Map<string, string>();
  for (const [, path] of text.matchAll(/^\/\/ (.+\.\w+)$/gm)) {
    const found = PACKAGE.exec(path!);
    if (found !== null) packages.set(`${found[2]}@${found[3]}`, found[1]!);
    else if (/^(?!\.\.)\S+$/.test(path!)) files.add(path!);
  }
  return { files, packages };
}

/** The same program wherever it was bundled: packages are named as they are imported. */
export function withoutThisMachine(text: string): string {
  const named =
    /^(\/\/ | {2}")[^"\n]*\/npm\/[^/\s"]+\/((?:@[^/\s"]+\/)?[^/\s"]+)\/(\d[^/\s"]*)\/([^\s"]+)/gm;
  return text.replace(named, "$1npm:$2@$3/$4");
}

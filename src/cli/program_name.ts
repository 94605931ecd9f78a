// What users type to start this program.

import { basename } from "node:path";

/** The executable's own file name, such as `zombiecoder-linux-x64`; from scripts `zombiecoder`. */
export function programName(
  executable: string | null = Deno.build.standalone ? Deno.execPath() : null,
): string {
  const name = basename(executable ?? "").replace(/\.exe$/i, "");
  return /^[\w.+-]{1,64}$/.test(name) ? name : "zombiecoder";
}

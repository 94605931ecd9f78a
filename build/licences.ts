// LICENSES.txt: the licences of the program and of what is inside of it, in their own words.

import { join } from "node:path";
import { ROOT } from "./bundle_program.ts";

const LICENCE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/** Of packages by `NAME@VERSION`, each with its folder. */
export async function licenceTexts(packages: ReadonlyMap<string, string>): Promise<string> {
  const parts = [section("ZombieCoder", await Deno.readTextFile(join(ROOT, "LICENSE")))];
  for (const [id, folder] of [...packages].sort(([a], [b]) => a < b ? -1 : 1)) {
    const names = [...Deno.readDirSync(folder)].filter(({ name, isFile }) =>
      isFile && LICENCE_FILE.test(name)
    ).map(({ name }) => name).sort();
    for (const name of names) {
      parts.push(section(`${id}, ${name}`, await Deno.readTextFile(join(folder, name))));
    }
  }
  return parts.join("\n");
}

function section(title: string, text: string): string {
  return `${title}\n${"=".repeat(title.length)}\n\n${text.trim()}\n`;
}

// What the real llama-server says of its own flags: which names are one flag, and which of them take a
// file, a folder, an address or a program. Read apart from the product, which must not vouch for itself.

import { testRuntime } from "./llama_server.ts";

export interface RuntimeHelp {
  /** Each flag with all its names. */
  readonly groups: readonly (readonly string[])[];
  /** Name -> the first name of its flag. */
  readonly firstNameOf: ReadonlyMap<string, string>;
  /** Names whose value leads out of the process, or that fetch or run something. */
  readonly leadingOut: ReadonlySet<string>;
}

const LEADS_OUT =
  /\b(?:FNAME|FILE|PATH|DIR|URL|HOST|PORT|PREFIX|ORIGINS|SERVERS|TOOLS?|TOKEN|KEY|agent|proxy|rpc|mcp|repo)\b|_(?:FILE|URL)\b|<user>/i;

export async function runtimeHelp(): Promise<RuntimeHelp> {
  const { stdout } = await new Deno.Command(await testRuntime(), {
    args: ["-h"],
    stdin: "null",
    stderr: "null",
  }).output();
  const groups: string[][] = [];
  const leadingOut = new Set<string>();
  for (const entry of new TextDecoder().decode(stdout).split(/\n(?=-)/)) {
    const line = entry.split("\n", 1)[0]!;
    const head = /^-[\w.-]+(?:,\s+-[\w.-]+)*(?=\s|$)/.exec(line)?.[0];
    if (head === undefined || head.startsWith("-----")) continue;
    const names = head.split(/,\s+/);
    groups.push(names);
    // What it takes stands one blank behind its names, what is said of it further off.
    const value = /^ (?! )(.*?)(?:\s{2}|$)/.exec(line.slice(head.length))?.[1] ?? "";
    const fetches = /note:\s+can\s+download/.test(entry) ? "URL" : "";
    if (LEADS_OUT.test(`${names.join(" ").replaceAll("-", " ")} ${value} ${fetches}`)) {
      names.forEach((name) => leadingOut.add(name));
    }
  }
  return {
    groups,
    firstNameOf: new Map(groups.flatMap((names) => names.map((name) => [name, names[0]!]))),
    leadingOut,
  };
}

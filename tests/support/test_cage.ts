// The cage that the tests' servers start with, and a bubblewrap for it where the machine has none.

import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findCagePrograms } from "../../src/host/cage_probe.ts";
import { makeOwnFolder } from "./llama_server.ts";
import { testTool } from "./test_tool.ts";

export const CAGE_MODES = ["auto", "require", "off"] as const;
export type CageMode = (typeof CAGE_MODES)[number];

/** Set by `tests/run.ts --cage MODE`. */
export const TEST_CAGE = "ZOMBIE_TEST_CAGE";

/**
 * What every program of ours that a test starts gets in its environment; a flag goes before it. A
 * stand-in for llama-server is a script of Deno's: what that needs is in no cage of an instance.
 */
export function cageEnv(flags: readonly string[] = []): Record<string, string> {
  if (flags.includes("--llama-server")) return { ZOMBIE_CAGE: "off" };
  return { ZOMBIE_CAGE: Deno.env.get(TEST_CAGE) || "auto" };
}

/** PATH, or what stands in its place, with a bubblewrap behind it where the machine has none. */
export async function pathWithBwrap(path = Deno.env.get("PATH") ?? ""): Promise<string> {
  if (Deno.build.os !== "linux" || Deno.env.get(TEST_CAGE) === "off") return path;
  if (findCagePrograms("linux", path).bwrap !== null) return path;
  return `${path}:${dirname(await testBwrap())}`;
}

/** Of this machine, else Debian's with its own libraries, which the caged program must not get. */
export async function testBwrap(): Promise<string> {
  // Of this machine, or the script below: one that called itself would never come to an end.
  const { bwrap } = findCagePrograms("linux", Deno.env.get("PATH") ?? null);
  if (bwrap !== null) return bwrap;
  const tool = await testTool("bwrap");
  const folder = join(tmpdir(), `zombiecoder-test-bwrap-${Deno.uid() ?? "user"}`);
  await makeOwnFolder(folder);
  const script = join(folder, "bwrap");
  const libraries = tool.env.LD_LIBRARY_PATH ?? "";
  const aside = `${script}.${crypto.randomUUID()}`;
  const line = `LD_LIBRARY_PATH='${libraries}' exec '${tool.path}' --unsetenv LD_LIBRARY_PATH "$@"`;
  // Without arguments of a cage it is asked for its version or its help.
  const plain = `LD_LIBRARY_PATH='${libraries}' exec '${tool.path}' "$@"`;
  const text = `#!/bin/sh\ncase "$1" in --help|--version) ${plain};; esac\n${line}\n`;
  await Deno.writeTextFile(aside, text, { mode: 0o755 });
  await Deno.rename(aside, script);
  return script;
}

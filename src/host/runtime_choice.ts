// Which build the user chose: `use.json` in the runtime home, where the server can never write.

import { join } from "node:path";
import { durableWrite, removeIfThere } from "../durable_write.ts";
import { isBuildName } from "./runtime_home.ts";

const CHOICE = "use.json";

/** Null where nobody chose, and where the file cannot be used: then the usual order holds. */
export async function readChoice(runtimeHome: string): Promise<string | null> {
  try {
    const choice: unknown = JSON.parse(await Deno.readTextFile(join(runtimeHome, CHOICE)));
    const name = (choice as { name?: unknown } | null)?.name;
    return typeof name === "string" && isBuildName(name) ? name : null;
  } catch {
    return null;
  }
}

export async function writeChoice(runtimeHome: string, name: string | null): Promise<void> {
  const path = join(runtimeHome, CHOICE);
  if (name === null) return await removeIfThere(path);
  // Where nothing was ever installed there is none yet.
  await Deno.mkdir(runtimeHome, { recursive: true, mode: 0o700 });
  await durableWrite(path, `${JSON.stringify({ schema: 1, name })}\n`);
}

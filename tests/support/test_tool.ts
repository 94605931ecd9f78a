// Programs that only tests need: of this machine, else fetched from Debian into a folder of this user.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { findTool, type Tool, type ToolName } from "../../bench/tools.ts";
import { makeOwnFolder } from "./llama_server.ts";

/** The same promise for the same program: two tests at once fetch it once. */
const finding = new Map<ToolName, Promise<Tool>>();

export function testTool(name: ToolName): Promise<Tool> {
  let found = finding.get(name);
  if (found === undefined) finding.set(name, found = findTestTool(name));
  return found;
}

async function findTestTool(name: ToolName): Promise<Tool> {
  const cache = join(tmpdir(), `zombiecoder-test-tools-${Deno.uid() ?? "user"}`);
  await makeOwnFolder(cache);
  return await findTool(name, { cache, ignorePath: false });
}

// Prometheus' own check of a metrics page, by its own program: of this machine, else fetched from
// Debian into a folder of this user.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { findTool } from "../../bench/tools.ts";
import { makeOwnFolder } from "./llama_server.ts";

/** What `promtool check metrics` says against the text; empty where it is clean. */
export async function promtoolCheck(text: string): Promise<string> {
  const cache = join(tmpdir(), `zombiecoder-test-tools-${Deno.uid() ?? "user"}`);
  await makeOwnFolder(cache);
  const tool = await findTool("promtool", { cache, ignorePath: false });
  const child = new Deno.Command(tool.path, {
    args: ["check", "metrics"],
    env: tool.env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return code === 0 ? said : `${said}\nExit code ${code}`;
}

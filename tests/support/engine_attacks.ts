// What code in the server's place may try on the folder of the engines, in a Worker: answers for each
// attempt how it ended.

/// <reference lib="deno.worker" />

import { messageOf } from "../../src/errors.ts";

export interface EngineAttack {
  /** `<runtime home>/<build>` */
  build: string;
  runtimeHome: string;
  /** In which the home and the runtime home lie. */
  above: string;
  /** A file and a folder with a llama-server of the attacker's, where he may write. */
  evilFile: string;
  evilFolder: string;
}

/** Begins the answer to an attempt that was not refused. */
export const DONE = "done";

function attempts({ build, runtimeHome, above, evilFile, evilFolder }: EngineAttack) {
  const server = `${build}/llama-server`;
  return {
    "write the program": () => Deno.writeTextFileSync(server, "evil"),
    "append to the program": () => Deno.writeTextFileSync(server, "evil", { append: true }),
    "open the program for writing": () => Deno.openSync(server, { write: true }).close(),
    "cut the program": () => Deno.truncateSync(server, 1),
    "rename over the program": () => Deno.renameSync(evilFile, server),
    "copy over the program": () => Deno.copyFileSync(evilFile, server),
    "remove the program": () => Deno.removeSync(server),
    "change the program's mode": () => Deno.chmodSync(server, 0o777),
    "change the program's times": () => Deno.utimeSync(server, 0, 0),
    "a hard link to the program": () => Deno.linkSync(server, `${evilFolder}/hard`),
    "a link in the program's place": () => Deno.symlinkSync(evilFile, `${server}.new`),
    "by node:fs": async () => (await import("node:fs")).writeFileSync(server, "evil"),
    "by node:fs, asked later": async () =>
      await (await import("node:fs/promises")).writeFile(server, "evil"),
    "a library beside it": () => Deno.writeTextFileSync(`${build}/libggml-evil.so`, "evil"),
    "a folder of libraries beside it": () => Deno.mkdirSync(`${build}/glibc-hwcaps`),
    "a link to a library beside it": () => Deno.symlinkSync(evilFile, `${build}/libggml-evil.so`),
    "the build's record": () => Deno.writeTextFileSync(`${build}/runtime.json`, "{}"),
    "move the build away": () => Deno.renameSync(build, `${evilFolder}/build`),
    "move another build in": () => Deno.renameSync(evilFolder, `${runtimeHome}/llama-b99999-evil`),
    "move the runtime home away": () => Deno.renameSync(runtimeHome, `${evilFolder}/home`),
    "move what is above away": () => Deno.renameSync(above, `${above}-moved`),
    "choose a build": () => Deno.writeTextFileSync(`${runtimeHome}/use.json`, '{"name":"evil"}'),
    "what programs said": () => Deno.writeTextFileSync(`${runtimeHome}/probes.json`, "[]"),
    "remove everything": () => Deno.removeSync(runtimeHome, { recursive: true }),
    "run the program": () => new Deno.Command(server).outputSync(),
  } satisfies Record<string, () => unknown>;
}

async function answersTo(attack: EngineAttack, only: string | null) {
  const answers: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(attempts(attack))) {
    if (only !== null && only !== name) continue;
    try {
      await attempt();
      answers[name] = DONE;
    } catch (error) {
      answers[name] = `${error instanceof Error ? error.name : ""}: ${messageOf(error)}`;
    }
  }
  return answers;
}

self.onmessage = async ({ data }: MessageEvent<{ attack: EngineAttack; only: string | null }>) =>
  self.postMessage(await answersTo(data.attack, data.only));

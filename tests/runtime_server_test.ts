// `zombiecoder runtime` and /admin/runtimes of a real server, with a real llama.cpp from a stand-in of the
// release API.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { dirname, join } from "node:path";
import type { RuntimeList, SystemInfo } from "../src/api_types.ts";
import { assertOneLine, cli, cliEnv } from "./support/cli.ts";
import { eventReader } from "./support/event_reader.ts";
import { testRuntime } from "./support/llama_server.ts";
import { modelProcesses } from "./support/model_processes.ts";
import { realBuildArchive } from "./support/real_build.ts";
import { ReleaseApi } from "./support/release_api.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";

const TAG = "b12110";
const NAME = `llama-${TAG}-ubuntu-x64`;

/** As for a user who has a llama-server on PATH and a mirror of the release API. */
async function serverWith(api: ReleaseApi): Promise<ServerProcess> {
  const path = `${dirname(await testRuntime())}:/usr/bin:/bin`;
  return await startServer({
    llamaServer: null,
    env: { PATH: path, ZOMBIE_RELEASE_API: api.base },
  });
}

function programOf(server: ServerProcess): string {
  const [process] = modelProcesses(server.home);
  return Deno.readTextFileSync(`/proc/${process!.pid}/cmdline`).split("\0")[0]!;
}

async function ask(server: ServerProcess): Promise<string> {
  const answer = await server.post("/generate", { model_id: "hello", prompt: "hi" });
  equal(answer.status, 200, await answer.clone().text());
  return (await answer.json()).response;
}

Deno.test("A build is installed, used from the next load on, and switched back, while a model runs", async () => {
  await using api = ReleaseApi.start();
  api.add(TAG, { [`llama-${TAG}-bin-ubuntu-x64.tar.gz`]: await realBuildArchive(TAG) });
  api.add("v0.9.0", { "nightly-tag.txt": new TextEncoder().encode(TAG) }, { prerelease: false });
  await using server = await serverWith(api);
  const env = cliEnv(server);
  ok(await ask(server));
  const first = modelProcesses(server.home)[0]!.pid;
  equal(programOf(server), await testRuntime());
  await using events = eventReader(await server.fetch("/admin/events"));

  const refused = await cli(["runtime", "install", "cpu", "--latest"], { env });
  equal(refused.code, 1);
  assertOneLine(refused, "unverified");
  match(refused.stderr, /Ask for it with --unverified/);
  const args = ["runtime", "install", "cpu", "--latest", "--unverified"];
  const installed = await cli(args, { env });
  equal(installed.code, 0, installed.stderr);
  equal(installed.stdout, `Installed ${NAME}, unverified: the next load uses it\n`);
  for (let source = null; source !== "installed";) {
    const { event, data } = (await events.next())!;
    if (event === "system") source = (data as unknown as SystemInfo).runtime.source;
  }
  const listed = await cli(["runtime"], { env });
  match(listed.stdout, new RegExp(`^${NAME} .* unverified  in use$`, "m"));
  match(listed.stdout, /^path .*/m);

  // What runs goes on as it is.
  ok(await ask(server));
  equal(modelProcesses(server.home)[0]!.pid, first);
  await server.post("/admin/models/hello/unload", {});
  ok(await ask(server));
  equal(programOf(server), join(server.runtimeHome, NAME, "llama-server"));

  const active = await cli(["runtime", "remove", NAME, "--yes"], { env });
  equal(active.code, 1);
  match(active.stderr, /it is in use\. Use another build first/);
  const back = await cli(["runtime", "use", "path"], { env });
  match(back.stdout, /^The next load uses path\./);
  const running = await cli(["runtime", "remove", NAME, "--yes"], { env });
  match(running.stderr, /models run with it\. Unload them first/);
  await server.post("/admin/models/hello/unload", {});
  const removed = await cli(["runtime", "remove", NAME, "--yes"], { env });
  equal(removed.stdout, `Removed ${NAME}\n`, removed.stderr);
  ok(await ask(server));
  equal(programOf(server), await testRuntime());
  const { installed: rest } = await server.json<RuntimeList>("/admin/runtimes");
  deepEqual(rest.map(({ name }) => name), ["path"]);
});

Deno.test("A mirror cannot give another build than the one whose digest this program knows", async () => {
  await using api = ReleaseApi.start();
  const archive = await realBuildArchive("b11118");
  api.add("b11118", { "llama-b11118-bin-ubuntu-x64.tar.gz": archive });
  await using server = await serverWith(api);
  // The distribution's would come next: nothing may be fetched from it here.
  const answer = await server.post("/admin/runtimes", { action: "install", variant: "vulkan" });
  equal(answer.status, 409);
  match((await answer.json()).error.message, /Cannot install "vulkan": No GPU was found/);
  deepEqual(api.requests, []);
});

Deno.test("POST /admin/runtimes takes nothing that it does not know, and no path", async () => {
  await using api = ReleaseApi.start();
  await using server = await serverWith(api);
  await until(async () =>
    (await server.json<SystemInfo>("/admin/system")).runtime.phase === "ready"
  );
  for (
    const [body, status, message] of [
      [{}, 400, /"action"/],
      [{ action: "run" }, 400, /"action"/],
      [{ action: "use" }, 400, /without its name/],
      [{ action: "remove", variant: "cpu" }, 400, /Cannot use "variant"/],
      [{ action: "use", name: "a", unverified: true }, 400, /Cannot use "unverified"/],
      [{ action: "install", name: "a" }, 400, /Cannot use "name"/],
      [{ action: "install", path: "/bin/sh" }, 400, /"path"/],
      [{ action: "install", variant: 7 }, 400, /"variant"/],
      [{ action: "install", variant: "../../evil" }, 404, /no such build for this computer/],
      [{ action: "use", name: "../../bin" }, 404, /Cannot find the llama\.cpp build/],
      [{ action: "remove", name: "path" }, 409, /not installed by this program/],
      [{ action: "remove", name: "." }, 404, /Cannot find/],
    ] as const
  ) {
    const answer = await server.post("/admin/runtimes", body);
    const { error } = await answer.json();
    equal(answer.status, status, JSON.stringify(body) + error.message);
    match(error.message, message);
  }
  const wrong = await cli(["runtime", "use"], { env: cliEnv(server) });
  equal(wrong.code, 2);
  assertOneLine(wrong, "use");
});

// `zombiecoder runtime` and /admin/runtimes of a real server, with a real llama.cpp from a stand-in of the
// release API.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { dirname, join } from "node:path";
import type { RuntimeList, SystemInfo } from "../src/api_types.ts";
import { assertOneLine, cli, cliEnv } from "./support/cli.ts";
import { eventReader } from "./support/event_reader.ts";
import { testRuntime } from "./support/llama_server.ts";
import { modelProcesses } from "./support/model_processes.ts";
import { copyRealBuild, realBuildArchive } from "./support/real_build.ts";
import { ReleaseApi } from "./support/release_api.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { startTerminal } from "./support/terminal.ts";

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

Deno.test("What this computer has nothing for is refused, and nobody is asked over the network", async () => {
  await using api = ReleaseApi.start();
  await using server = await serverWith(api);
  const { available } = await server.json<RuntimeList>("/admin/runtimes");
  ok(available.some(({ variant, offered }) => variant === "cpu" && offered));
  for (const { variant, reason } of available.filter(({ offered }) => !offered)) {
    const answer = await server.post("/admin/runtimes", { action: "install", variant });
    equal(answer.status, 409);
    equal((await answer.json()).error.message, `Cannot install "${variant}": ${reason}`);
  }
  deepEqual(api.requests, []);
});

Deno.test("In a terminal the installation is asked about and shown with a bar", async () => {
  await using api = ReleaseApi.start();
  api.add(TAG, { [`llama-${TAG}-bin-ubuntu-x64.tar.gz`]: await realBuildArchive(TAG) });
  await using server = await serverWith(api);
  const env = cliEnv(server);
  await using terminal = await startTerminal({ columns: 100, env });
  await terminal.enter("zombiecoder runtime install cpu --latest; echo over $?");
  await terminal.see(/Install it all the same\? \[y\/N\]/);
  await terminal.enter("n");
  await terminal.see(/Nothing was installed\s+over 0/);
  api.stallAfterBytes = 5_000_000;
  await terminal.enter("zombiecoder runtime install cpu --latest; echo over $?");
  await terminal.see(/Nothing was installed[^]*\[y\/N\]/);
  await terminal.enter("y");
  await terminal.see(/cpu +[█▏▎▍▌▋▊▉░]{20} +\d+ % +Downloading llama\.cpp/);
  await terminal.press("C-c");
  await terminal.see(/It is installed further in the background\. .*\s+over 0/);
  const { job } = await server.json<RuntimeList>("/admin/runtimes");
  equal(job?.state, "installing");
});

Deno.test("Where a build was taken away by somebody else, the next load takes what is left", async () => {
  let folder = "";
  await using server = await startServer({
    llamaServer: null,
    env: { PATH: `${dirname(await testRuntime())}:/usr/bin:/bin` },
    async prepare(home) {
      folder = join(dirname(home), "runtime", "real");
      await copyRealBuild(folder);
    },
  });
  ok(await ask(server));
  equal(programOf(server), join(folder, "llama-server"));
  await server.post("/admin/models/hello/unload", {});
  await Deno.remove(folder, { recursive: true });
  ok(await ask(server));
  equal(programOf(server), await testRuntime());
  const { runtime } = await server.json<SystemInfo>("/admin/system");
  deepEqual([runtime.phase, runtime.source], ["ready", "path"]);
});

Deno.test("A server that ends while it installs leaves nothing of it", async () => {
  await using api = ReleaseApi.start();
  api.add(TAG, { [`llama-${TAG}-bin-ubuntu-x64.tar.gz`]: await realBuildArchive(TAG) });
  await using server = await serverWith(api);
  api.stallAfterBytes = 1_000_000;
  const body = { action: "install", variant: "cpu", latest: true, unverified: true };
  const begun = await server.post("/admin/runtimes", body);
  equal(begun.status, 202);
  await begun.body?.cancel();
  await api.served(1);
  const inside = () => [...Deno.readDirSync(server.runtimeHome)].map(({ name }) => name);
  ok(inside().some((name) => name.startsWith(".partial-")));
  server.kill("SIGTERM");
  equal((await server.status).code, 0);
  // What was remembered of the build that there was, and the cage that it was tried in.
  const known = ["probes.json", ".cage"];
  deepEqual(inside().filter((name) => !known.includes(name)), [".lock"]);
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

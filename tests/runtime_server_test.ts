// `zombiecoder runtime` and /admin/runtimes of a real server, with a real llama.cpp from a stand-in of the
// release API.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { dirname, join } from "node:path";
import type { RuntimeList, SystemInfo } from "../src/api_types.ts";
import { PINNED_TAG } from "../src/host/install_github.ts";
import { assertOneLine, cli, cliEnv, spawnCli } from "./support/cli.ts";
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

/** But for what was remembered of the build that there was, and the cage that it was tried in. */
function inside(server: ServerProcess): string[] {
  return [...Deno.readDirSync(server.runtimeHome)].map(({ name }) => name)
    .filter((name) => name !== "probes.json" && name !== ".cage");
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

Deno.test("What a killed installation left is removed by the next start, though nothing is installed", async () => {
  const left = `.partial-${"0123456789abcdef".repeat(2)}`;
  const runtimeOf = (home: string) => join(dirname(home), "runtime");
  await using server = await startServer({
    async prepare(home) {
      await Deno.mkdir(join(runtimeOf(home), left, "suite-0", "apt"), { recursive: true });
      await Deno.writeTextFile(join(runtimeOf(home), left, "suite-0", "llama.deb"), "half of it");
      await Deno.mkdir(join(runtimeOf(home), ".partial-mine"));
      await Deno.writeTextFile(join(runtimeOf(home), ".lock"), "");
    },
  });
  await until(() => !inside(server).includes(left));
  deepEqual(inside(server).toSorted(), [".lock", ".partial-mine"]);
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
  await terminal.see(
    /Cancelled cpu: nothing of it is left, and what is here is as it was\s+over 130/,
  );
  const { job } = await server.json<RuntimeList>("/admin/runtimes");
  equal(job?.state, "cancelled");
  deepEqual(inside(server), [".lock"]);
});

Deno.test("An installation is cancelled by a signal, by another command and over HTTP, and begun again", async () => {
  await using api = ReleaseApi.start();
  api.add(TAG, { [`llama-${TAG}-bin-ubuntu-x64.tar.gz`]: await realBuildArchive(TAG) });
  await using server = await serverWith(api);
  const env = cliEnv(server);
  const args = ["runtime", "install", "cpu", "--latest", "--unverified"];
  const nothing = await cli(["runtime", "cancel"], { env });
  equal(nothing.code, 1);
  match(nothing.stderr, /^Cannot cancel: nothing is being installed\. .*[^.]\n$/);
  equal((await cli(["runtime", "cancel", "cpu"], { env })).code, 2);
  const refused = await server.post("/admin/runtimes", { action: "cancel" });
  const { error } = await refused.json();
  deepEqual([refused.status, error.code, error.values.reason], [
    ...[409, "runtime_refused", "not_installing"],
  ]);

  api.stallAfterBytes = 1_000_000;
  const json = spawnCli([...args, "--json"], { env });
  await api.served(1);
  // It follows: the first lines are here.
  const reader = json.stdout.getReader();
  let said = "";
  const decoder = new TextDecoder();
  while (!said.includes("Downloading")) {
    const { done, value } = await reader.read();
    ok(!done, said);
    said += decoder.decode(value);
  }
  json.kill("SIGINT");
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    said += decoder.decode(part.value);
  }
  equal((await json.status).code, 130);
  await json.stderr.cancel();
  const last = JSON.parse(said.trimEnd().split("\n").at(-1)!);
  deepEqual([last.state, last.error.code], ["cancelled", "cancelled"]);
  deepEqual(inside(server), [".lock"]);

  for (const [served, path] of [[2, "cli"], [3, "http"]] as const) {
    const following = cli(args, { env });
    await api.served(served);
    if (path === "cli") {
      const cancelled = await cli(["runtime", "cancel"], { env });
      equal(cancelled.code, 0, cancelled.stderr);
      match(cancelled.stdout, /^Cancelled cpu: nothing of it is left/);
    } else {
      const answer = await server.post("/admin/runtimes", { action: "cancel", variant: "cpu" });
      equal(answer.status, 200);
      equal((await answer.json()).job.state, "cancelled");
    }
    deepEqual(inside(server), [".lock"]);
    // Who follows it is told plainly.
    const { code, stderr } = await following;
    equal(code, 1);
    match(stderr, /^The installation of "cpu" was cancelled: .*runtime install cpu\n$/m);
  }
  ok(await ask(server));
  equal(programOf(server), await testRuntime());

  api.stallAfterBytes = null;
  const installed = await cli(args, { env });
  equal(installed.stdout, `Installed ${NAME}, unverified: the next load uses it\n`);
});

Deno.test("A load that waits for the first installation is told that it was cancelled, and how to begin it", async () => {
  await using api = ReleaseApi.start();
  api.add(PINNED_TAG, {
    [`llama-${PINNED_TAG}-bin-ubuntu-x64.tar.gz`]: new Uint8Array(1_000_000),
  });
  await using server = await startServer({
    llamaServer: null,
    env: { PATH: "/usr/bin:/bin", ZOMBIE_RELEASE_API: api.base },
  });
  api.stallAfterBytes = 1_000;
  await using events = eventReader(await server.fetch("/admin/events"));
  const load = server.post("/generate", { model_id: "hello", prompt: "hi" });
  await api.served(1);
  const env = cliEnv(server);
  const cancelled = await cli(["runtime", "cancel"], { env });
  match(cancelled.stdout, /^Cancelled llama\.cpp: nothing of it is left/, cancelled.stderr);
  const answer = await load;
  const { error } = await answer.json();
  deepEqual([answer.status, error.code, error.values.reason], [
    503,
    "runtime_missing",
    "cancelled",
  ]);
  match(error.message, /its installation was cancelled\. Begin it again with zombiecoder runtime/);
  for (let phase = ""; phase !== "failed";) {
    const { event, data } = (await events.next())!;
    if (event !== "system") continue;
    const { runtime } = data as unknown as SystemInfo;
    phase = runtime.phase;
    if (phase === "failed") equal(runtime.error?.values.reason, "cancelled");
  }
  deepEqual(inside(server), [".lock"]);
  const { length } = api.requests;
  const again = await server.post("/generate", { model_id: "hello", prompt: "hi" });
  equal((await again.json()).error.values.reason, "cancelled");
  equal(api.requests.length, length);
  const begun = await server.post("/admin/runtimes", { action: "install", variant: "cpu" });
  equal(begun.status, 202);
  await begun.body?.cancel();
  await until(() => api.requests.length > length);
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
  ok(inside(server).some((name) => name.startsWith(".partial-")));
  server.kill("SIGTERM");
  equal((await server.status).code, 0);
  deepEqual(inside(server), [".lock"]);
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
      [{ action: "cancel", name: "a" }, 400, /Cannot use "name"/],
      [{ action: "cancel", latest: true }, 400, /Cannot use "latest"/],
      [{ action: "cancel", variant: "../../evil" }, 409, /it is not being installed/],
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

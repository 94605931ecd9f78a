// The program inside of what `deno desktop` makes, but for the window: that cannot be had everywhere.

import assert from "node:assert/strict";
import { endServer, runningServer } from "../src/host/detached_server.ts";
import { desktopArgs, desktopSettings, unavailableBase } from "../build/desktop_args.ts";
import { cli } from "./support/cli.ts";
import { listeningPorts } from "./support/listening_ports.ts";
import { startProgram } from "./support/program.ts";
import { until } from "./support/server_process.ts";
import { userHome } from "./support/user_home.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const PRELOAD = new URL("./support/native_runtime.ts", import.meta.url).pathname;
const FLAGS = ["run", "-A", "--quiet", "--cached-only", "--preload", PRELOAD];
const NATIVE = { command: [Deno.execPath(), ...FLAGS, `${ROOT}main.ts`], cwd: ROOT };

/** A program as the native runtime starts it: without arguments, with the window's own address. */
async function startNative(env: Record<string, string>) {
  for (let tries = 1;; tries++) {
    const port = freePort();
    const address = { DENO_SERVE_ADDRESS: `tcp:127.0.0.1:${port}` };
    const program = startProgram([], { ...env, ...address }, NATIVE);
    let ended = false;
    void program.ended.then(() => ended = true);
    const isThere = () => ended || listeningPorts(program.pid).includes(port);
    try {
      await until(isThere, 60_000);
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
    if (!ended) {
      return {
        address: `http://127.0.0.1:${port}/`,
        // As the window ends it when it is closed.
        [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
      };
    }
    // Somebody else took the port before.
    assert.ok(/Address already in use/.test(program.stderr) && tries < 4, program.stderr);
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function asked(address: string): Promise<Response> {
  return await until(() => fetch(address, { redirect: "manual" }).catch(() => null), 30_000);
}

Deno.test("A native window is sent to the page of its own server, which listens where it would anyway", async () => {
  await using user = await userHome("ব্যবহারকারী");
  await using native = await startNative(user.env);
  const answer = await asked(native.address);
  const { address } = runningServer(user.home)!;
  assert.deepEqual([answer.status, answer.headers.get("location")], [302, `${address}/`]);
  await answer.body?.cancel();
  assert.notEqual(new URL(address).port, new URL(native.address).port);
  const page = await fetch(address, { headers: { accept: "text/html" } });
  assert.match(await page.text(), /<title>/);
  const run = await cli(["run", "hello", "hi"], { env: user.env });
  assert.equal(run.code, 0, run.stderr);
});

Deno.test("A native window shows the page of a server that runs already, and why there can be none", async () => {
  await using user = await userHome("user");
  assert.equal((await cli(["list"], { env: user.env })).code, 0);
  const { address } = runningServer(user.home)!;
  {
    await using native = await startNative(user.env);
    const answer = await asked(native.address);
    assert.deepEqual([answer.status, answer.headers.get("location")], [302, `${address}/`]);
    await answer.body?.cancel();
  }
  assert.equal(runningServer(user.home)?.address, address);
  await endServer(user.home);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using native = await startNative({ ...user.env, ZOMBIE_PORT: String(taken.addr.port) });
  const answer = await asked(native.address);
  assert.equal(answer.status, 503);
  assert.match(await answer.text(), /^Cannot listen on port \d+: another program uses it/);
});

Deno.test("deno desktop understands what it is told, and a base that cannot be had is one line", async () => {
  const scripts = ["zombiecoder.js", "server.js"];
  const args = desktopArgs({ scripts, output: "/tmp/ZombieCoder" });
  // Its own help names each flag that is used.
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["desktop", "--help=full"],
    env: { NO_COLOR: "1" },
  }).output();
  const help = new TextDecoder().decode(stdout);
  for (const flag of args.filter((arg) => /^--?[a-zA-Z-]+$/.test(arg))) {
    assert.ok(help.includes(flag), flag);
  }
  assert.deepEqual(args.slice(-5), [
    "--include",
    "server.js",
    "--output",
    "/tmp/ZombieCoder",
    "zombiecoder.js",
  ]);
  assert.equal(JSON.parse(desktopSettings()).desktop.app.name, "ZombieCoder");
  const failure = unavailableBase(
    "error: Writing\n    1: error sending request for url (https://base.example/v2.9.6/libdenort-x.zip): dns error",
  );
  assert.match(
    failure!.message,
    /https:\/\/base\.example\/v2\.9\.6\/libdenort-x\.zip can be reached/,
  );
  assert.doesNotMatch(failure!.message, /\n/);
  assert.equal(unavailableBase("error: Module not found"), null);
});

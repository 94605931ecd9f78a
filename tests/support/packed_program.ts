// The program as users get it, a bundle or an executable, where nothing else is: an empty working
// folder, an empty home, no cache of Deno's, and a way out that only counts who tries it.

import assert from "node:assert/strict";
import { join } from "node:path";
import { PAGE_FILES } from "../../src/gateway/page_files.ts";
import { instancesWith } from "./instance_processes.ts";
import { testRuntime } from "./llama_server.ts";
import { type Program, startProgram } from "./program.ts";
import { until } from "./server_process.ts";
import { tempDir } from "./temp_dir.ts";
import { pathWithBwrap } from "./test_cage.ts";

export interface EmptyPlace extends AsyncDisposable {
  readonly path: string;
  readonly env: Record<string, string>;
  /** The working folder; what lies there now. */
  readonly cwd: string;
  /** Whoever asked for anything of the internet. */
  readonly wentOut: readonly string[];
  start(command: readonly string[], args: string[]): Program;
  /** Runs a command to its end. */
  run(command: readonly string[], args: string[]): Promise<{ code: number; text: string }>;
}

export async function emptyPlace(): Promise<EmptyPlace> {
  const dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  for (const name of ["home", "cwd", "run", "deno", "tmp", "bin"]) await Deno.mkdir(at(name));
  const wentOut: string[] = [];
  const proxy = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    wentOut.push(`${request.method} ${request.url}`);
    return new Response(null, { status: 502 });
  });
  const way = `http://127.0.0.1:${proxy.addr.port}`;
  const env = {
    ...{ USERPROFILE: at("home"), TEMP: at("tmp"), TMP: at("tmp") },
    ...{ HOME: at("home"), XDG_RUNTIME_DIR: at("run"), DENO_DIR: at("deno"), TMPDIR: at("tmp") },
    // No llama-server is found there.
    PATH: await pathWithBwrap(at("bin")),
    // As the README has it: else Deno itself asks for newer versions of it.
    DENO_NO_UPDATE_CHECK: "1",
    ...{ HTTP_PROXY: way, HTTPS_PROXY: way, NO_PROXY: "127.0.0.1,localhost" },
  };
  const start = (command: readonly string[], args: string[]) =>
    startProgram(args, env, { command, cwd: at("cwd") });
  return {
    path: dir.path,
    env,
    cwd: at("cwd"),
    wentOut,
    start,
    async run(command, args) {
      await using program = start(command, args);
      const { code } = await program.ended;
      return { code, text: program.stdout + program.stderr };
    },
    async [Symbol.asyncDispose]() {
      await proxy.shutdown();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Flags of a server that is in nobody's way. */
export const OWN_PORTS = ["--port", "0", "--runtime-ports", "28080-28100", "--no-open"];

/** Page, documentation, an answer of `hello`, a clean end; nothing stays behind. */
export async function checkServes(command: readonly string[], place: EmptyPlace): Promise<void> {
  const flags = ["--llama-server", await testRuntime()];
  await using program = place.start(command, ["serve", ...OWN_PORTS, ...flags]);
  const url = await addressOf(program);
  const page = await text(`${url}/`, { headers: { accept: "text/html" } });
  assert.match(page, /<title>ZombieCoder/);
  for (const [address, file] of Object.entries(PAGE_FILES)) {
    const init = address === "/" ? { headers: { accept: "text/html" } } : {};
    assert.equal(await text(`${url}${address}`, init), await file.load(), address);
  }
  assert.match(await text(`${url}/docs`), /swagger-ui-bundle\.js/);
  assert.ok((await text(`${url}/docs/swagger-ui-bundle.js`)).length > 1_000_000);
  assert.match(await text(`${url}/docs/swagger-ui.css`), /\.swagger-ui/);
  assert.equal(JSON.parse(await text(`${url}/openapi.json`)).info.version, await version());
  await checkHello(url);
  assert.deepEqual(place.wentOut, []);
  // The catalogue is inside, too; what the Hub has to say of it is asked for when somebody looks.
  assert.ok(JSON.parse(await text(`${url}/admin/catalogue`)).length > 5);
  program.kill("SIGTERM");
  const { code } = await program.ended;
  // Windows has no signal that a program could answer.
  if (Deno.build.os !== "windows") assert.equal(code, 0, program.stderr);
  assert.equal(program.stderr, "");
  if (Deno.build.os === "linux") assert.deepEqual(instancesWith(place.path), []);
  assert.deepEqual([...Deno.readDirSync(place.cwd)], []);
  assert.deepEqual([...Deno.readDirSync(join(place.path, "tmp"))], []);
  assert.deepEqual(place.wentOut.filter((way) => !/huggingface\.co/.test(way)), []);
}

export async function checkHello(url: string): Promise<void> {
  const body = JSON.stringify({ model_id: "hello", prompt: "hi" });
  assert.match(await text(`${url}/generate`, { method: "POST", body }), /Hello from ZombieCoder!/);
}

export async function addressOf(program: Program): Promise<string> {
  let ended = false;
  void program.ended.then(() => ended = true);
  await until(() => ended || program.stdout.includes("\n"), 60_000);
  const url = /^ZombieCoder is ready at (http:\/\/\S+)\n$/.exec(program.stdout)?.[1];
  assert.ok(url !== undefined, program.stdout + program.stderr);
  return url;
}

export async function version(): Promise<string> {
  const manifest = await Deno.readTextFile(new URL("../../deno.json", import.meta.url));
  return JSON.parse(manifest).version;
}

async function text(url: string, init: RequestInit = {}): Promise<string> {
  const answer = await fetch(url, init);
  const read = await answer.text();
  assert.equal(answer.status, 200, `${url}: ${read.slice(0, 300)}`);
  return read;
}

// Homes, models folders and runtime homes that links lead to.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import type { ModelRow, ScopeInfo, SystemInfo } from "../src/api_types.ts";
import { withRealFolders } from "../src/host/real_folders.ts";
import { realPlace } from "../src/real_place.ts";
import { loadConfig } from "../src/config.ts";
import { buildTestModel, HELLO_SENTENCE } from "../src/models/hello_model.ts";
import { cli, told } from "./support/cli.ts";
import { put, putOllama } from "./support/other_programs.ts";
import { startProgram } from "./support/program.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";
import { userHome } from "./support/user_home.ts";
import { instancesWith } from "./support/instance_processes.ts";

function ownModel(sentence: string): Uint8Array<ArrayBuffer> {
  return buildTestModel({ name: "own", sentence });
}

Deno.test("realPlace() follows links, also to what is not there yet, and ends where they lead round", async () => {
  await using dir = await tempDir();
  const at = (...names: string[]) => join(dir.path, ...names);
  Deno.mkdirSync(at("real"));
  Deno.symlinkSync("real", at("link"));
  Deno.symlinkSync("link/drive", at("later"));
  Deno.symlinkSync("loop", at("loop"));
  const table: [path: string, place: string][] = [
    [at("real"), at("real")],
    [at("link"), at("real")],
    [at("link", "a", "b"), at("real", "a", "b")],
    [at("later", "models"), at("real", "drive", "models")],
    [at("loop", "a"), at("loop", "a")],
    ["/", "/"],
  ];
  for (const [path, place] of table) assert.equal(realPlace(path), place, path);
});

Deno.test("withRealFolders() keeps a folder's name where that alone may be read", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  for (const name of ["home", "models"]) {
    Deno.mkdirSync(at(name));
    Deno.symlinkSync(name, at(`linked-${name}`));
  }
  const folders = ["--models-dir", at("linked-models"), "--models-dir", at("models")];
  const { config } = loadConfig({
    args: ["serve", "--home", at("linked-home"), ...folders],
    ...{ env: {}, homeDir: dir.path, cwd: dir.path, os: Deno.build.os },
  });
  const all = withRealFolders(config);
  assert.deepEqual([all.home, all.modelsDirs], [at("home"), [at("models")]]);
  const narrow = withRealFolders(
    config,
    (right) => right.name === "read" && right.path !== at("home"),
  );
  assert.deepEqual([narrow.home, narrow.modelsDirs], [at("linked-home"), [at("models")]]);
  assert.equal(narrow.runtimeHome, config.runtimeHome);
});

async function answerOf(server: ServerProcess, model: string): Promise<string> {
  const answer = await server.post("/generate", { model_id: model, prompt: "hi" });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return JSON.parse(text).response;
}

Deno.test("A home and models folders behind links are served like any others", async () => {
  await using dir = await tempDir();
  const at = (...names: string[]) => join(dir.path, ...names);
  put(at("disk", "models", "org", "far.gguf"), ownModel("Far."));
  put(at("disk", "more", "beside.gguf"), ownModel("Beside."));
  put(at("data", "home", "bob", "near.gguf"), ownModel("Near."));
  Deno.symlinkSync(at("data", "home"), at("homes"));
  Deno.symlinkSync("bob", at("data", "home", "link"));
  Deno.symlinkSync(at("disk", "models"), at("models"));
  Deno.symlinkSync(at("disk"), at("mount"));
  const flags = ["--models-dir", at("models"), "--models-dir", at("mount", "more")];
  const real = at("data", "home", "bob");
  for (const home of [at("data", "home", "link"), at("homes", "bob"), at("homes", "link"), real]) {
    await using server = await startServer({ home, flags });
    assert.equal(await answerOf(server, "hello"), HELLO_SENTENCE, home);
    assert.equal(await answerOf(server, "near"), "Near.", home);
    assert.equal(await answerOf(server, "far"), "Far.", home);
    assert.equal(await answerOf(server, "beside"), "Beside.", home);
    // What is granted is where the folders really lie, and nothing more.
    const { permissions, missing } = await server.json<ScopeInfo>("/admin/scope");
    const { read, write } = permissions;
    assert.ok(Array.isArray(read) && Array.isArray(write));
    const below = (paths: readonly string[]) => paths.filter((path) => path.startsWith(dir.path));
    assert.deepEqual(below(read), [real, at("disk", "models"), at("disk", "more")]);
    assert.deepEqual(below(write), [real]);
    assert.deepEqual(missing, []);
  }
});

Deno.test("A running server is found by every name of its home, which no second one can have", async () => {
  await using dir = await tempDir();
  const real = join(dir.path, "data", "home");
  Deno.mkdirSync(real, { recursive: true });
  const link = join(dir.path, "link");
  Deno.symlinkSync(join("data", "home"), link);
  const linkedParent = join(dir.path, "users", "home");
  Deno.symlinkSync("data", dirname(linkedParent));
  const names = [real, link, linkedParent];
  const sockets = new Set<string>();
  for (const home of names) {
    await using server = await startServer({ home, env: { XDG_RUNTIME_DIR: dir.path } });
    assert.equal(await answerOf(server, "hello"), HELLO_SENTENCE);
    for (const name of names) {
      const folders = ["--home", name, "--runtime-home", server.runtimeHome];
      await using second = startProgram(["serve", ...folders, "--no-open"]);
      assert.equal((await second.ended).code, 1);
      assert.equal(second.stderr, `ZombieCoder is already running at ${server.url}\n`);
      const listed = await cli(["list", "--json", ...folders]);
      const rows = JSON.parse(listed.stdout) as ModelRow[];
      assert.deepEqual(rows.map(({ id, state }) => [id, state]), [["hello", "ready"]], name);
    }
    for (const { name, isDirectory } of Deno.readDirSync(dir.path)) {
      if (isDirectory && name.startsWith("zombiecoder-")) sockets.add(name);
    }
    const stopped = await cli(["stop", "--server", "--home", link]);
    assert.equal(stopped.code, 0, stopped.stderr);
    assert.equal((await server.status).code, 0);
  }
  assert.equal(sockets.size, 1);
});

Deno.test("A user whose home folder lies behind a link has a home, a llama.cpp build and other programs' models", async () => {
  await using user = await userHome("bob");
  // As /home is where it was moved to a larger disk.
  const moved = join(user.outside, "data");
  const path = join(user.outside, "home", "bob");
  Deno.mkdirSync(moved);
  Deno.symlinkSync(user.outside, join(moved, "link"));
  Deno.symlinkSync("data/link", dirname(path));
  const ollama = join(path, ".ollama", "models");
  const blob = putOllama(ollama, "registry.ollama.ai/library/tiny/1b", {
    model: buildTestModel({ name: "tiny", sentence: "In place." }),
  });
  const env = { ...user.env, HOME: path, XDG_RUNTIME_DIR: join(path, "run") };
  const zombiecoder = (...args: string[]) => told(args, { env });
  assert.equal(await zombiecoder("run", "hello", "hi"), `${HELLO_SENTENCE}\n`);
  const { address } = JSON.parse(Deno.readTextFileSync(join(user.home, "run", "server.json")));
  const { runtime, cage }: SystemInfo = await (await fetch(`${address}/admin/system`)).json();
  assert.equal(runtime.source, user.env.ZOMBIE_LLAMA_SERVER === undefined ? "installed" : "flag");
  assert.equal(cage.mode, user.env.ZOMBIE_CAGE);
  await zombiecoder("import", blob);
  assert.equal(await zombiecoder("run", "tiny-1b", "hi"), "In place.\n");
  await zombiecoder("stop", "--server");
  await until(() => instancesWith(user.outside).length === 0);
});

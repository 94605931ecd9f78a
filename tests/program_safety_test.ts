import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import type { SystemInfo } from "../src/api_types.ts";
import { checkProgramPlaces, pathOutside } from "../src/host/program_safety.ts";
import { failure } from "./support/failure.ts";
import { testRuntime } from "./support/llama_server.ts";
import { startProgram } from "./support/program.ts";
import { startServer } from "./support/server_process.ts";
import { testBwrap } from "./support/test_cage.ts";
import { tempDir } from "./support/temp_dir.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

async function folders() {
  const dir = await tempDir();
  const at = (...names: string[]) => join(dir.path, ...names);
  for (const name of ["program/src/host", "program/.zombie", "deno", "home/bin", "bin"]) {
    Deno.mkdirSync(at(name), { recursive: true });
  }
  Deno.symlinkSync(at("program"), at("link"));
  Deno.symlinkSync(at("bin"), at("home", "link"));
  Deno.symlinkSync(at("home", "bin"), at("linked-bin"));
  return { at, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

Deno.test("checkProgramPlaces() refuses a home from which the program could be changed", async () => {
  await using dirs = await folders();
  const { at } = dirs;
  const source = {
    execPath: at("deno", "deno"),
    programDir: at("program"),
    bundledFolder: at("program", "config", "llama.cpp"),
  };
  const compiled = {
    execPath: at("program", "zombiecoder"),
    programDir: null,
    bundledFolder: at("program", "config", "llama.cpp"),
  };
  const table: [home: string, isSourceWrong: boolean, isCompiledWrong: boolean][] = [
    [at("program"), true, true],
    [at("link"), true, true],
    [at(), true, true],
    ["/", true, true],
    [at("program", "src"), true, false],
    [at("link", "src", "host"), true, false],
    [at("program", "node_modules", "x"), true, false],
    [at("program", "config"), true, true],
    [at("program", "config", "llama.cpp", "llama-b9"), true, true],
    [at("deno"), true, false],
    [at("program", ".zombie", "model"), false, false],
    [at("program", "config", "home"), false, false],
    [at("programs"), false, false],
    [at("home"), false, false],
  ];
  for (const [home, ...wrong] of table) {
    [source, compiled].forEach((places, index) => {
      if (!wrong[index]) return checkProgramPlaces(home, places);
      const { code, message } = failure(() => checkProgramPlaces(home, places));
      assert.equal(code, "bad_flag", home);
      assert.ok(
        message.startsWith(`Cannot use --home "${home}": the server writes there`),
        message,
      );
    });
  }
});

Deno.test("pathOutside() leaves out folders that the server can write, or lead elsewhere", async () => {
  await using dirs = await folders();
  const { at } = dirs;
  const kept = ["/usr/bin", at("bin"), "", "relative", at("homes")];
  const out = [at("home"), at("home", "bin"), at("home", "absent"), at("home", "link")];
  const path = [...out, ...kept, at("linked-bin")].join(":");
  assert.equal(pathOutside(at("home"), path), kept.join(":"));
  assert.equal(pathOutside(at("home"), null), null);
});

Deno.test("serve refuses a home that holds the program, before it writes anything there", async () => {
  for (const home of [".", "..", "src/host", "config"]) {
    const args = ["serve", "--home", home, "--runtime-home", "/nonexistent/runtime", "--no-open"];
    await using program = startProgram([...args, "--port", "0"]);
    assert.equal((await program.ended).code, 2, program.stderr);
    assert.match(
      program.stderr,
      /^Cannot use --home "[^"\n]+": the server writes there, [^\n]+\n$/,
    );
    assert.throws(() => Deno.lstatSync(join(ROOT, home, "run", "lock")), Deno.errors.NotFound);
  }
});

Deno.test("serve runs no llama-server of a folder of PATH that lies in its home", async () => {
  await using dir = await tempDir();
  const home = join(dir.path, "home");
  const mark = join(dir.path, "it ran");
  Deno.mkdirSync(join(home, "bin"), { recursive: true });
  for (const name of ["llama-server", "bwrap"]) {
    const script = `#!/bin/sh\necho > '${mark}'\nexit 1\n`;
    Deno.writeTextFileSync(join(home, "bin", name), script, { mode: 0o755 });
  }
  const real = await testRuntime();
  const env = { PATH: [join(home, "bin"), dirname(real), dirname(await testBwrap())].join(":") };
  await using server = await startServer({ home, llamaServer: null, env });
  const answer = await server.post("/generate", { model_id: "hello", prompt: "hi" });
  assert.equal(answer.status, 200, await answer.text());
  const { runtime } = await server.json<SystemInfo>("/admin/system");
  assert.equal(runtime.source, "path");
  assert.throws(() => Deno.lstatSync(mark), Deno.errors.NotFound);
});

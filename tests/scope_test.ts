import assert from "node:assert/strict";
import { join } from "node:path";
import { serverScope } from "../src/host/scope.ts";
import { writeTestModel } from "../src/models/hello_model.ts";
import { attempt, REFUSALS, startFlags } from "./support/scope_attempted.ts";
import { DONE } from "./support/scope_attempts.ts";
import { SCOPE_CONFIG } from "./support/scope_config.ts";
import { startServer, until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

const PATHS = {
  socketDir: "/run/user/1/z",
  places: [{ socketPath: "/run/user/1/z/00.sock" }, { port: 40_000 }],
  importRoots: [{ program: "ollama", path: "/home/u/.ollama/models" }],
};

Deno.test("serverScope() lists every folder, address and socket, and grants nothing else", () => {
  assert.deepEqual(serverScope(SCOPE_CONFIG, PATHS), {
    read: [
      ...["/home/u/.zombie_model", "/data/models", "/home/u/.ollama/models"],
      "/run/user/1/z",
    ],
    write: ["/home/u/.zombie_model", "/run/user/1/z"],
    net: [
      ...["127.0.0.1:8001", "127.0.0.1:0", "127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"],
      ...["[::1]:8001", "[::1]:8080", "[::1]:8081", "[::1]:8082"],
      ...["unix:/run/user/1/z/00.sock", "127.0.0.1:40000"],
      ...["huggingface.co:443", "*.huggingface.co:443", "hf.co:443", "*.hf.co:443"],
    ],
    run: false,
    env: false,
    ffi: false,
    import: false,
    sys: false,
  });
});

Deno.test("The server in its scope cannot read, run, reach, import or change what is not its own", async () => {
  const { own, escapes, seen, files, runtimeFiles } = await attempt("scope", startFlags());
  for (const [name, answer] of Object.entries(own)) {
    assert.ok(answer.startsWith(DONE), `"${name}" must work: ${answer}`);
  }
  assert.ok(Object.keys(escapes).length >= 81, `${Object.keys(escapes).length} attempts`);
  const notRefused = Object.entries(escapes)
    .filter(([, answer]) => !REFUSALS.some((refusal) => refusal.test(answer)));
  assert.deepEqual(notRefused, []);
  assert.deepEqual(seen, []);
  assert.deepEqual(files, {
    "secret": "secret",
    "secret.json": '{"secret":1}',
    "secret.js": "export default 1",
    "program/models/blob": "models/blob",
  });
  assert.deepEqual(runtimeFiles, []);
});

Deno.test("The same attempts succeed without a scope, so that a refusal means something", async () => {
  const { escapes, seen } = await attempt("all", ["-A", "--no-prompt", "--quiet"]);
  // What is refused to everybody, leads nowhere, or needs what an earlier attempt moved away.
  const notHere = new Set(
    Object.entries(escapes).filter(([, answer]) => !answer.startsWith(DONE)).map(([name]) => name),
  );
  for (
    const name of [
      ...["read /etc/passwd", "read a secret", "read by dots", "read by node", "list a folder"],
      ...["read our own environment", "write into the runtime home", "make a link out"],
      ...["start a program", "start what we wrote", "start a program by node", "signal a process"],
      ...["read a variable", "import a file", "import JSON", "require", "connect on loopback"],
      ...["fetch", "fetch what leads elsewhere", "connect to another socket"],
      ...["send a datagram", "ask on another socket", "import from loopback"],
      ...["read beside another program's folder", "read a folder that begins like it"],
      ...["write into another program's folder", "link from it into the home"],
      ...["import JSON statically in a Worker", "import a module statically in a Worker"],
      ...["start what we wrote as a Worker"],
      ...["start a Worker with our rights", "start a Worker by node", "database outside"],
    ]
  ) {
    assert.ok(!notHere.has(name), `${name}: ${escapes[name]}`);
  }
  assert.ok(seen.length >= 5 && seen.includes("datagram: x"), seen.join());
});

Deno.test("A link in the home is no model, and no setting leads out of it", async () => {
  await using outside = await tempDir();
  const foreign = join(outside.path, "foreign.gguf");
  await writeTestModel(foreign, { name: "foreign", sentence: "I am not yours." });
  Deno.mkdirSync(join(outside.path, "folder"));
  await writeTestModel(join(outside.path, "folder", "deep.gguf"), {
    name: "deep",
    sentence: "Nor am I.",
  });
  await using server = await startServer({
    async prepare(home) {
      await writeTestModel(join(home, "mine.gguf"), { name: "mine", sentence: "I am yours." });
      Deno.symlinkSync("/etc/passwd", join(home, "passwd.gguf"));
      Deno.symlinkSync(foreign, join(home, "foreign.gguf"));
      Deno.symlinkSync(join(outside.path, "folder"), join(home, "folder"));
      Deno.symlinkSync(join(outside.path, "folder"), join(home, "deep"));
      Deno.symlinkSync(outside.path, join(home, "out.gguf"));
    },
  });
  const listed = () => server.json<{ id: string }[]>("/admin/models");
  await until(async () => (await listed()).length >= 2);
  assert.deepEqual((await listed()).map(({ id }) => id), ["mine", "hello"]);
  const names = ["passwd", "foreign", "deep", "folder/deep", "folder", "out", "out/foreign"];
  for (const model_id of [...names, "../foreign", foreign, "/etc/passwd", "mine.gguf/../foreign"]) {
    const answer = await server.post("/generate", { model_id, prompt: "hi" });
    const text = await answer.text();
    assert.equal(answer.status, 404, `${model_id}: ${text}`);
    assert.ok(!/not yours|Nor am I|root:/.test(text), text);
  }
  const settings = async (change: unknown) => {
    const answer = await server.fetch("/admin/models/mine/settings", {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(change),
    });
    return { status: answer.status, text: await answer.text() };
  };
  const paths = ["foreign.gguf", "folder/deep.gguf", foreign, "/etc/passwd", "../home/mine.gguf/x"];
  for (const path of paths) {
    for (const change of [{ lora: [path] }, { draft_model: path }]) {
      const saved = await settings(change);
      if (saved.status >= 400) continue;
      const load = await server.post("/admin/models/mine/load", {});
      const text = await load.text();
      assert.equal(load.status, 400, `${JSON.stringify(change)}: ${text}`);
      assert.match(text, /it is not a model file in the models folders/);
      const reset = await settings({ lora: [], draft_model: null });
      assert.equal(reset.status, 200, reset.text);
    }
  }
  const answer = await server.post("/generate", { model_id: "mine", prompt: "hi" });
  assert.match(await answer.text(), /I am yours/);
});

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { join } from "node:path";
import type { Config } from "../src/config.ts";
import { serverScope } from "../src/host/scope.ts";
import { writeTestModel } from "../src/models/hello_model.ts";
import { type AttemptAnswer, type AttemptInput, DONE } from "./support/scope_attempts.ts";
import { startServer, until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

const CONFIG = {
  home: "/home/u/.zombie_model",
  runtimeHome: "/home/u/.zombie_runtime",
  modelsDirs: ["/data/models"],
  hosts: ["127.0.0.1", "::1"],
  port: 8_001,
  runtimePorts: { first: 8_080, last: 8_082 },
  hfEndpoint: "https://huggingface.co",
  downloadHosts: [],
  proxy: null,
} as unknown as Config;

const PATHS = {
  staticDir: "/app/static",
  socketDir: "/run/user/1/z",
  places: [{ socketPath: "/run/user/1/z/00.sock" }, { port: 40_000 }],
  importRoots: [{ program: "ollama", path: "/home/u/.ollama/models" }],
};

Deno.test("serverScope() lists every folder, address and socket, and grants nothing else", () => {
  assert.deepEqual(serverScope(CONFIG, PATHS), {
    read: [
      ...["/home/u/.zombie_model", "/data/models", "/home/u/.ollama/models"],
      ...["/app/static", "/run/user/1/z"],
    ],
    write: ["/home/u/.zombie_model", "/run/user/1/z"],
    net: [
      ...["127.0.0.1:8001", "127.0.0.1:0", "127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"],
      ...["[::1]:8001", "[::1]:0", "[::1]:8080", "[::1]:8081", "[::1]:8082"],
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

/** The flags that `deno task start` runs the program with. */
function startFlags(): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("../deno.json", import.meta.url)));
  const flags = /deno run ((?:-\S+ )+)main\.ts/.exec(tasks.start.command)?.[1];
  assert.ok(flags !== undefined, tasks.start.command);
  return flags.trim().split(" ");
}

/** A listener on TCP and UDP that nobody may reach; says who did. */
function canary() {
  const seen: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    seen.push(request.url);
    return new Response("export default 1", { headers: { "content-type": "text/javascript" } });
  });
  const { port } = server.addr;
  const datagrams = createSocket("udp4").bind(port, "127.0.0.1");
  datagrams.on("message", (message) => seen.push(`datagram: ${message}`));
  const close = async () => {
    await Promise.all([server.shutdown(), once(datagrams.close(), "close")]);
  };
  return { port, seen, [Symbol.asyncDispose]: close };
}

/** Runs the attempts; with mode `all` without any scope. */
async function attempt(mode: "scope" | "all", flags: string[]) {
  await using dir = await tempDir();
  await using tcp = canary();
  const at = (name: string) => join(dir.path, name);
  for (const name of ["home", "runtime", "sockets", "program", "program/models"]) {
    Deno.mkdirSync(at(name));
  }
  Deno.mkdirSync(at("program/models-more"));
  for (const name of ["models/blob", "models-more/file", "beside"]) {
    Deno.writeTextFileSync(at(`program/${name}`), name);
  }
  Deno.writeTextFileSync(at("secret"), "secret");
  Deno.writeTextFileSync(at("secret.json"), '{"secret":1}');
  Deno.writeTextFileSync(at("secret.js"), "export default 1");
  const answer = (request: Request) =>
    new URL(request.url).pathname === "/redirect"
      ? Response.redirect(`http://127.0.0.1:${tcp.port}/redirected`)
      : new Response("instance");
  const onListen = () => {};
  const place = Deno.serve({ path: at("sockets/00.sock"), onListen }, answer);
  const other = Deno.serve({ path: at("sockets/other.sock"), onListen }, (request) => {
    tcp.seen.push(`other socket: ${request.url}`);
    return new Response("other");
  });
  const foreign = new Deno.Command("/bin/sleep", { args: ["60"] }).spawn();
  const input: AttemptInput = {
    home: at("home"),
    runtimeHome: at("runtime"),
    secret: at("secret"),
    outsideJson: at("secret.json"),
    outsideModule: at("secret.js"),
    canaryPort: tcp.port,
    placePath: at("sockets/00.sock"),
    otherSocketPath: at("sockets/other.sock"),
    importRoot: at("program/models"),
    foreignPid: foreign.pid,
    remote: mode === "scope",
  };
  const probe = new URL("support/scope_probe.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, "--no-lock", probe, JSON.stringify(input), mode, at("static")],
    cwd: new URL("..", import.meta.url),
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const files = Object.fromEntries(
    ["secret", "secret.json", "secret.js", "program/models/blob"].map((
      name,
    ) => [name, read(at(name))]),
  );
  const runtimeFiles = names(at("runtime"));
  await Promise.all([place.shutdown(), other.shutdown()]);
  foreign.kill("SIGKILL");
  await foreign.status;
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const answers: AttemptAnswer = JSON.parse(new TextDecoder().decode(stdout));
  return { ...answers, seen: tcp.seen, files, runtimeFiles };
}

function read(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}

function names(folder: string): string[] | null {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return null;
  }
}

/** Refused for want of a right, not for any other reason. */
const REFUSALS = [
  /^NotCapable: /,
  /Requires (\w+ )?access/,
  /^Error: getaddrinfo EPERM/,
  /Can't escalate parent thread permissions/,
  /too many attached databases - max 0/,
  // node:dgram has no better word for it.
  /^Error: send UNKNOWN/,
  /--cached-only is specified/,
];

Deno.test("The server in its scope cannot read, run, reach, import or change what is not its own", async () => {
  const { own, escapes, seen, files, runtimeFiles } = await attempt("scope", startFlags());
  for (const [name, answer] of Object.entries(own)) {
    assert.ok(answer.startsWith(DONE), `"${name}" must work: ${answer}`);
  }
  assert.ok(Object.keys(escapes).length >= 78, `${Object.keys(escapes).length} attempts`);
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

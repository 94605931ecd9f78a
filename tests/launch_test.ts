import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import type { LaunchSpec } from "../src/host/messages.ts";
import { buildCommand, type LaunchContext } from "../src/host/launch.ts";
import { probeRuntime } from "../src/host/runtime_probe.ts";
import { failure } from "./support/failure.ts";
import { hostileName } from "./support/hostile_names.ts";
import { environmentOf, instancesWith } from "./support/instance_processes.ts";
import { EVERY_FLAG, KEY, launchSpec, TOKEN } from "./support/launch_specs.ts";
import { testRuntime } from "./support/llama_server.ts";
import { startServer } from "./support/server_process.ts";

const SOCKET = "/run/zombie/00.sock";

function context(change: Partial<LaunchContext> = {}): LaunchContext {
  const place = { socketPath: SOCKET };
  return { flags: EVERY_FLAG, hasDevices: false, place, platform: "linux", ...change };
}

function argsFor(change: Partial<LaunchSpec>, where: Partial<LaunchContext> = {}): string[] {
  return buildCommand(launchSpec(change), context(where)).args;
}

/** What comes between these two, or after the first. */
function added(args: string[], base: string[]): string[] {
  const rest = [...base];
  return args.filter((arg) => {
    const at = rest.indexOf(arg);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

Deno.test("buildCommand() makes the whole command of a plain model", async () => {
  const { flags } = await probeRuntime(await testRuntime(), { runtimeHome: null });
  const { args, env } = buildCommand(launchSpec(), context({ flags }));
  assert.deepEqual(args, [
    ...["-m", "/models/hello.gguf", "-a", "hello", "--host", SOCKET],
    ...["--api-prefix", "http://instance.invalid", "--threads-http", "8"],
    ...["--cors-origins", "http://gateway.invalid", "--no-ui", "--no-slots", "--offline"],
    ...["-c", "4096", "-np", "1", "-t", "2", "-b", "512", "-ub", "256", "--cache-ram", "0"],
    ...["--no-warmup", "-lv", "4", "--fit", "off"],
  ]);
  assert.deepEqual(env, {
    LLAMA_SERVER_ROUTER_PORT: "1",
    LLAMA_API_KEY: KEY,
    ZOMBIE_INSTANCE_TOKEN: TOKEN,
    LANG: "C.UTF-8",
    PATH: "/usr/bin:/bin",
  });
  assert.ok(!args.join(" ").includes(KEY), "any user can read the arguments");
});

Deno.test("buildCommand() adds for each placement what it needs and no more", () => {
  const base = argsFor({});
  const table: [Partial<LaunchSpec>, string[]][] = [
    [{ cacheTypeK: "q8_0" }, ["-ctk", "q8_0"]],
    [{ cacheTypeV: "q4_0" }, ["-ctv", "q4_0"]],
    [{ mode: "embedding" }, ["--embeddings"]],
    [{ mode: "rerank" }, ["--reranking"]],
    [{ mmprojPath: "/models/p.gguf" }, ["--mmproj", "/models/p.gguf"]],
    [{ draftModelPath: "/models/d.gguf" }, ["-md", "/models/d.gguf"]],
    [{ loraPaths: ["/models/a.gguf"] }, ["--lora", "/models/a.gguf"]],
    // Named twice, llama-server would take the last one alone.
    [{ loraPaths: ["/a.gguf", "/b.gguf"] }, ["--lora", "/a.gguf,/b.gguf"]],
    [{ chatTemplate: "{{ messages }}" }, ["--chat-template", "{{ messages }}"]],
    [{ extraArgs: ["--temp", "0.5"] }, ["--temp", "0.5"]],
    [{ contextTokens: 4_096, parallel: 4 }, ["16384", "4"]],
    // Whoever sets the level of the log himself has it.
    [{ extraArgs: ["-lv", "3"] }, ["3"]],
    [{ extraArgs: ["--warmup"] }, ["--warmup"]],
  ];
  for (const [change, expected] of table) {
    assert.deepEqual(added(argsFor(change), base), expected, JSON.stringify(change));
  }
});

Deno.test("buildCommand() does without its own flag where the user has set that one", () => {
  assert.ok(argsFor({}).includes("--no-warmup"));
  assert.ok(!argsFor({ extraArgs: ["--warmup"] }).includes("--no-warmup"));
  const args = argsFor({ extraArgs: ["--verbosity", "3"] });
  assert.ok(!args.includes("-lv"));
});

Deno.test("buildCommand() places layers by the devices that the build sees", () => {
  const offload = (gpuLayers: LaunchSpec["gpuLayers"], hasDevices: boolean) => {
    const args = argsFor({ gpuLayers }, { hasDevices });
    return args.slice(args.indexOf("4", args.indexOf("-lv")) + 1);
  };
  assert.deepEqual(offload("auto", false), ["--fit", "off"]);
  assert.deepEqual(offload(0, false), ["--fit", "off"]);
  assert.deepEqual(offload(20, false), ["--fit", "off"]);
  assert.deepEqual(offload("auto", true), []);
  assert.deepEqual(offload(0, true), ["-dev", "none", "--fit", "off"]);
  assert.deepEqual(offload(20, true), ["-ngl", "20", "--fit", "off"]);
  const error = failure(() =>
    argsFor({ gpuLayers: 0, extraArgs: ["--device", "CUDA0"] }, { hasDevices: true })
  );
  assert.match(error.message, /it is there twice$/);
});

Deno.test("buildCommand() listens on loopback alone where there are no sockets", () => {
  const { args, env } = buildCommand(
    launchSpec(),
    context({ place: { port: 40_001 }, platform: "windows" }),
  );
  assert.equal(args[args.indexOf("--host") + 1], "127.0.0.1");
  assert.equal(args[args.indexOf("--port") + 1], "40001");
  // The address in a request is the same, however it gets there.
  assert.equal(args[args.indexOf("--api-prefix") + 1], "http://instance.invalid");
  assert.deepEqual(Object.keys(env).sort(), [
    ...["LANG", "LLAMA_API_KEY", "LLAMA_SERVER_ROUTER_PORT", "SystemRoot", "ZOMBIE_INSTANCE_TOKEN"],
  ]);
});

Deno.test("buildCommand() refuses a build without the flags that close its door", () => {
  const musts = ["-m", "--host", "--api-prefix", "--threads-http", "--cors-origins", "--no-slots"];
  for (const flag of musts) {
    const flags = new Set([...EVERY_FLAG].filter((each) => each !== flag));
    const error = failure(() => argsFor({}, { flags }));
    assert.equal(error.code, "runtime_missing");
    assert.ok(error.message.includes(`does not know "${flag}". Install a newer build`));
  }
  const noUi = new Set([...EVERY_FLAG].filter((each) => !/^--no-(web)?ui$/.test(each)));
  assert.equal(failure(() => argsFor({}, { flags: noUi })).code, "runtime_missing");
});

Deno.test("buildCommand() leaves out comforts that the build does not know, and uses older names", () => {
  const optional = ["--offline", "--cache-ram", "--no-warmup", "-lv", "--fit", "--no-ui"];
  const flags = new Set([...EVERY_FLAG].filter((flag) => !optional.includes(flag)));
  const args = argsFor({}, { flags });
  assert.ok(args.includes("--no-webui"));
  for (const flag of optional) assert.ok(!args.includes(flag), flag);
  assert.equal(added(args, argsFor({})).join(), "--no-webui");
});

Deno.test("buildCommand() refuses numbers out of their range, and what is no number", () => {
  const bad = [0, -1, 1.5, NaN, Infinity, 2 ** 40, "1", "1 --tools all", null, [1], {}, true];
  const fields = ["contextTokens", "parallel", "threads", "batchTokens", "ubatchTokens"] as const;
  for (const field of [...fields, "httpThreads"] as const) {
    for (const value of bad) {
      const error = failure(() => argsFor({ [field]: value } as Partial<LaunchSpec>));
      assert.equal(error.code, "invalid_request", `${field} ${value}`);
    }
  }
  for (const place of [-1, 64, 1.5, "0", null]) {
    failure(() => argsFor({ place } as Partial<LaunchSpec>));
  }
  for (const gpuLayers of [-1, 1.5, "all", "AUTO", "0", null]) {
    failure(() => argsFor({ gpuLayers } as Partial<LaunchSpec>));
  }
});

Deno.test("buildCommand() refuses words, tokens and keys that are not of its list", () => {
  const table: Record<string, unknown>[] = [
    { mode: "shell" },
    { mode: "" },
    { cacheTypeK: "q8_0 --tools" },
    { cacheTypeV: "--tools" },
    ...["", "0", KEY.toUpperCase(), `${KEY}0`, `${KEY}\n`, "../".repeat(11)].flatMap((text) => [
      { token: text },
      { key: text },
    ]),
  ];
  for (const change of table) {
    const error = failure(() => argsFor(change as Partial<LaunchSpec>));
    assert.equal(error.code, "invalid_request", JSON.stringify(change));
  }
});

Deno.test("buildCommand() takes absolute paths alone, and no comma where it would end one", () => {
  const paths = ["model.gguf", "./m.gguf", "../m.gguf", "", "-m", "--tools", "/a\0b", "file:///m"];
  for (const path of paths) {
    for (
      const change of [
        { modelPath: path },
        { mmprojPath: path },
        { draftModelPath: path },
        { loraPaths: ["/models/a.gguf", path] },
      ]
    ) {
      const error = failure(() => argsFor(change));
      assert.equal(error.code, "invalid_request", JSON.stringify(change));
    }
  }
  const comma = failure(() => argsFor({ loraPaths: ["/a,/etc/b"] }));
  assert.equal(comma.code, "invalid_request");
  assert.match(comma.message, /lora "\/a,\/etc\/b": .* comma .*\. Rename the file or folder$/);
  const type = failure(() => argsFor({ cacheTypeK: "q9_9" } as unknown as Partial<LaunchSpec>));
  assert.match(type.message, /cache_type "q9_9": choose one of f32, /);
  const dash = failure(() => argsFor({ chatTemplate: "--tools" }));
  assert.match(dash.message, /chat_template "--tools": it must not start with a dash/);
});

Deno.test("buildCommand() keeps a hostile alias one harmless word", () => {
  fc.assert(
    fc.property(hostileName(), (alias) => {
      const args = argsFor({ alias });
      const word = args[args.indexOf("-a") + 1]!;
      assert.ok(!word.startsWith("-"), word);
      // deno-lint-ignore no-control-regex
      assert.ok(!/[,\u0000-\u001f]/.test(word), JSON.stringify(word));
      assert.equal(args.length, argsFor({}).length);
    }),
    { numRuns: 500 },
  );
});

Deno.test("buildCommand() keeps a hostile chat template one word, or refuses it", () => {
  for (const chatTemplate of ["--tools", "-", "-x", "a\0b"]) {
    assert.equal(failure(() => argsFor({ chatTemplate })).code, "invalid_request");
  }
  for (const chatTemplate of ["", "a b --tools all", "{{ x }}\n--tools\nall", "$(id)", "`id`"]) {
    const args = argsFor({ chatTemplate });
    assert.equal(args[args.indexOf("--chat-template") + 1], chatTemplate);
    assert.equal(args.length, argsFor({}).length + 2);
  }
});

Deno.test("An instance has nothing of a poisoned environment, and offers no tools", async () => {
  await using server = await startServer({
    env: {
      LLAMA_ARG_TOOLS: "all",
      LLAMA_ARG_AGENT: "1",
      LLAMA_ARG_HOST: "0.0.0.0",
      LLAMA_ARG_PORT: "18099",
      LLAMA_API_KEY: "poison",
      GGML_BACKEND_PATH: "/nonexistent/evil.so",
      HF_TOKEN: "hf_secret",
      ZOMBIE_INSTANCE_TOKEN: "0".repeat(32),
    },
  });
  const answer = await server.post("/generate", { model_id: "hello", prompt: "hi" });
  assert.equal(answer.status, 200, await answer.text());
  const pids = instancesWith(join(server.home, "..")).filter((pid) => pid !== server.pid);
  assert.equal(pids.length, 1);
  const environment = environmentOf(pids[0]!);
  // bubblewrap says so where it starts a program.
  environment.delete("PWD");
  assert.deepEqual([...environment.keys()].sort(), [
    ...["LANG", "LLAMA_API_KEY", "LLAMA_SERVER_ROUTER_PORT", "PATH", "ZOMBIE_INSTANCE_TOKEN"],
  ]);
  assert.match(environment.get("LLAMA_API_KEY")!, /^[0-9a-f]{32}$/);
  assert.notEqual(environment.get("ZOMBIE_INSTANCE_TOKEN"), "0".repeat(32));
  const tools = await server.fetch("/upstream/hello/tools");
  await tools.body?.cancel();
  assert.ok(tools.status >= 400, `GET /tools answered ${tools.status}`);
  const call = await server.post("/upstream/hello/tools", {
    tool: "exec_shell_command",
    params: { command: "id" },
  });
  assert.ok(call.status >= 400, `POST /tools answered ${call.status}`);
  assert.ok(!(await call.text()).includes("uid="));
});

Deno.test("An instance wants its own key, which nobody can read from its arguments", async () => {
  await using server = await startServer();
  await (await server.post("/admin/models/hello/load", {})).body?.cancel();
  const [pid] = instancesWith(join(server.home, ".."));
  const args = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
  const path = args[args.indexOf("--host") + 1]!;
  const key = environmentOf(pid!).get("LLAMA_API_KEY")!;
  assert.ok(!args.some((arg) => arg.includes(key)));
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  const ask = (headers: Record<string, string>) =>
    fetch("http://instance.invalid/props", { client, headers }).then(async (response) => {
      await response.body?.cancel();
      return response.status;
    });
  assert.equal(await ask({}), 401);
  assert.equal(await ask({ authorization: "Bearer poison" }), 401);
  assert.equal(await ask({ authorization: `Bearer ${key}` }), 200);
});

// A client that may change settings, and would like llama-server to do more than answer: by an argument,
// or by a variable, each of which can make it run a shell. `extra_args_test.ts` has the property.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { basename, dirname } from "node:path";
import { HELLO_SENTENCE } from "../../src/models/hello_model.ts";
import { environmentOf, instancesWith } from "../support/instance_processes.ts";
import { testRuntime } from "../support/llama_server.ts";
import { LAUNCH_FLAGS } from "../support/launch_specs.ts";
import { type ServerProcess, startServer } from "../support/server_process.ts";
import { threatName } from "./rows.ts";

const HOSTILE: readonly string[][] = [
  ...[["--tools", "all"], ["--agent"], ["--mcp-servers-json", "{}"], ["--ui-mcp-proxy"]],
  ...[["--host", "0.0.0.0"], ["--port", "1"], ["--api-key", "mine"], ["--api-key-file", "/x"]],
  ...[["--api-prefix", "/"], ["--cors-origins", "*"], ["--slots"], ["--props"], ["--metrics"]],
  ...[["-m", "/etc/passwd"], ["--model", "/etc/passwd"], ["--model=/etc/passwd"], [
    "-mu",
    "http://x",
  ]],
  ...[["--lora", "/etc/passwd"], ["--mmproj", "/etc/passwd"], ["-md", "/etc/passwd"]],
  ...[["--rpc", "127.0.0.1:1"], ["--slot-save-path", "/tmp"], ["--media-path", "/"]],
  ...[["--log-file", "/tmp/zombiecoder-threat"], ["--grammar-file", "/etc/passwd"]],
  ...[["--chat-template-file", "/etc/passwd"], ["--path", "/"], ["--sleep-idle-seconds", "1"]],
  ...[["-hf", "org/repo"], ["--threads-http", "1"], ["-a", "x"], ["-c", "1"], ["-np", "1"]],
  // Twice, under other names, joined, cut, and with what is no value.
  ...[["--temp", "1", "--temperature", "2"], ["--mlock", "--mlock"], ["--temp=1"], ["--temp"]],
  ...[["--temp", "--tools"], ["--temp", "-1"], ["--temp", "1 --tools all"], ["--temp", "1\n-m"]],
  ...[["--temp\0", "1"], ["--temp", "1\0"], [""], [" "], ["--"], ["-"], ["all"], ["-fa", "yes"]],
  ...[["--Temp", "1"], ["\u2013\u2013temp", "1"], ["--te\u200bmp", "1"], ["@/etc/passwd"]],
  ...[["LLAMA_ARG_TOOLS=all"], ["-ts", "1;id"], ["-dev", "$(id)"], ["--tensor-split", "../x"]],
];

interface Saved {
  status: number;
  text: string;
}

async function put(server: ServerProcess, body: unknown): Promise<Saved> {
  const answer = await server.fetch("/admin/models/hello/settings", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, text: await answer.text() };
}

/** The words behind the program's own name, whatever holds it. */
function argumentsOf(pid: number): string[] {
  const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0").slice(0, -1);
  const name = words.findLastIndex((word) => basename(word) === "llama-server");
  return words.slice(name + 1);
}

Deno.test(
  threatName(
    8,
    "no argument beyond the list, named twice or with another's value starts a process",
  ),
  async () => {
    await using server = await startServer();
    const sockets = `${server.home}/../run`.replace("/home/../", "/");
    let refusals = 0;
    for (const extra_args of HOSTILE) {
      // Refused when it is saved, or when it would be used: in any case before a process is there.
      const saved = await put(server, { extra_args });
      if (saved.status >= 400) {
        match(saved.text, /"invalid_request"/);
        match(saved.text, /"param":"extra_args"/, saved.text);
        refusals++;
        continue;
      }
      const load = await server.post("/admin/models/hello/load", {});
      const text = await load.text();
      equal(load.status, 400, `${JSON.stringify(extra_args)}: ${text}`);
      equal(JSON.parse(text).error.code, "invalid_request");
      refusals++;
      deepEqual(instancesWith(sockets), [], JSON.stringify(extra_args));
    }
    equal(refusals, HOSTILE.length);
    // Fields that are no settings: an environment, a program, a command line.
    for (
      const field of [
        "env",
        "environment",
        "program",
        "command",
        "args",
        "llama_server",
        "__proto__",
      ]
    ) {
      const body = `{"${field}":{"LLAMA_ARG_TOOLS":"all"}}`;
      for (const [method, path] of [["PUT", "settings"], ["POST", "load"]] as const) {
        const answer = await server.fetch(`/admin/models/hello/${path}`, {
          method,
          headers: { "content-type": "application/json" },
          body,
        });
        equal(answer.status, 400, `${method} ${path} ${body}: ${await answer.text()}`);
      }
    }
    deepEqual(instancesWith(sockets), []);
    // And what is on the list passes, so that a refusal says something.
    const allowed = await put(server, { extra_args: ["--temp", "0.5", "--top-k", "5"] });
    equal(allowed.status, 200, allowed.text);
    const answer = await server.post("/generate", { model_id: "hello", prompt: "hi" });
    equal((await answer.json()).response, HELLO_SENTENCE);
    const pids = instancesWith(sockets);
    ok(pids.length >= 1);
    for (const pid of pids) {
      const flags = argumentsOf(pid).filter((word) => word.startsWith("-"));
      const unknown = flags.filter((flag) =>
        !Object.hasOwn(LAUNCH_FLAGS, flag) && !["--temp", "--top-k"].includes(flag)
      );
      deepEqual(unknown, []);
      equal(new Set(flags).size, flags.length, "none is there twice");
    }
  },
);

Deno.test(threatName(8, "a process gets exactly our variables, whatever ours are"), async () => {
  await using server = await startServer({
    env: {
      LLAMA_ARG_HOST: "0.0.0.0",
      LLAMA_ARG_TOOLS: "all",
      LLAMA_ARG_MCP_SERVERS_JSON: "{}",
      LLAMA_API_KEY: "mine",
      GGML_BACKEND_PATH: "/nowhere/evil.so",
      GCONV_PATH: "/nowhere",
      HF_TOKEN: "hf_secret",
      ZOMBIE_API_KEY: "0123456789abcdef0123",
      HTTP_PROXY: "http://127.0.0.1:9",
      http_proxy: "http://127.0.0.1:9",
    },
  });
  const answer = await server.post("/generate", { model_id: "hello", prompt: "hi" }, {
    headers: { "content-type": "application/json", "x-api-key": "0123456789abcdef0123" },
  });
  equal((await answer.json()).response, HELLO_SENTENCE);
  const pids = instancesWith(`${server.home}/../run`.replace("/home/../", "/"));
  ok(pids.length >= 1);
  for (const pid of pids) {
    // In a cage the shell that hands it its filter adds the folder that it is in.
    const { LLAMA_API_KEY, ZOMBIE_INSTANCE_TOKEN, PWD, ...rest } = Object.fromEntries(
      environmentOf(pid),
    );
    ok(PWD === undefined || PWD === dirname(await testRuntime()), PWD);
    match(LLAMA_API_KEY!, /^[0-9a-f]{32}$/);
    match(ZOMBIE_INSTANCE_TOKEN!, /^[0-9a-f]{32}$/);
    // bubblewrap says so where it starts a program.
    delete rest.PWD;
    deepEqual(rest, {
      LLAMA_SERVER_ROUTER_PORT: "1",
      LANG: "C.UTF-8",
      PATH: "/usr/bin:/bin",
    });
    // The key is in no argument: those every user can read.
    ok(!Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes(LLAMA_API_KEY!));
  }
});

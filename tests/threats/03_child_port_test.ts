// A page that knows where llama-server usually listens, and does not ask the gateway at all.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { rowOf, streamChat } from "../support/chat.ts";
import { ForeignPage } from "../support/foreign_page.ts";
import { environmentOf, instancesWith } from "../support/instance_processes.ts";
import {
  argumentsOf,
  listenersOf,
  processTree,
  socketFilesBelow,
} from "../support/process_tree.ts";
import { startServer, until } from "../support/server_process.ts";
import { threatName } from "./rows.ts";

/** Of llama-server: what it would tell, and what it would do. */
const PATHS = [
  "/props",
  "/slots",
  "/v1/models",
  "/metrics",
  "/completion",
  "/tools",
  "/health",
  "/",
];

/** In the page: how much of each answer it gets to see, by whatever way a page has. */
const TRY_ALL = `async ({ ports, paths }) => {
  const seen = [];
  const element = (tag, url) => new Promise((resolve) => {
    const made = document.createElement(tag);
    made.onload = () => resolve("loaded");
    made.onerror = () => resolve("error");
    if (tag === "link") { made.rel = "stylesheet"; made.href = url; } else made.src = url;
    document.body.append(made);
  });
  for (const port of ports) {
    for (const path of paths) {
      const url = "http://127.0.0.1:" + port + path;
      const ask = (name, options) =>
        fetch(url, options).then(async (answer) => {
          const bytes = (await answer.arrayBuffer().catch(() => new ArrayBuffer(0))).byteLength;
          if (bytes > 0 || answer.type !== "opaque") seen.push(name + " " + url + " " + bytes);
        }, () => {});
      const body = JSON.stringify({ prompt: "hi", tool: "exec_shell_command" });
      await Promise.all([
        ask("read", {}),
        ask("blind read", { mode: "no-cors", credentials: "include" }),
        ask("plain write", { method: "POST", body }),
        ask("blind write", { method: "POST", mode: "no-cors", body }),
        ask("JSON write", { method: "POST", body, headers: { "content-type": "application/json" } }),
        ask("with a key", { headers: { authorization: "Bearer x" } }),
        element("img", url).then((end) => end === "error" || seen.push("img " + url)),
        element("script", url).then((end) => end === "error" || seen.push("script " + url)),
        element("link", url).then((end) => end === "error" || seen.push("link " + url)),
      ]);
    }
    await new Promise((resolve) => {
      const socket = new WebSocket("ws://127.0.0.1:" + port + "/");
      socket.onopen = () => { seen.push("WebSocket " + port); resolve(); };
      socket.onerror = () => resolve();
    });
    await new Promise((resolve) => {
      const events = new EventSource("http://127.0.0.1:" + port + "/admin/events");
      events.onopen = () => { seen.push("EventSource " + port); resolve(); };
      events.onerror = () => { events.close(); resolve(); };
    });
  }
  return seen;
}`;

Deno.test(
  threatName(
    3,
    "no process of the tree listens but the gateway, and there a page of another site gets 0 bytes",
  ),
  async () => {
    await using server = await startServer({ doors: "29141-29160" });
    await using stream = streamChat(server, "hello", { max_tokens: 64 });
    await until(() => stream.text !== "");
    const door = (await rowOf(server, "hello")).port!;
    const tree = processTree(server.pid);
    const instances = instancesWith(join(server.home, ".."));
    equal(instances.filter((pid) => argumentsOf(pid)[0]!.endsWith("llama-server")).length, 1);
    ok(instances.every((pid) => tree.includes(pid)), "the instance belongs to the tree");
    deepEqual(
      listenersOf(tree).toSorted((a, b) => a.port - b.port),
      [server.port, door].toSorted((a, b) => a - b).map((port) => ({ port, pid: server.pid })),
    );
    await using foreign = await ForeignPage.open("<title>Cat pictures</title><body></body>");
    const seen = await foreign.page.evaluate<string[]>(
      `(${TRY_ALL})(${JSON.stringify({ ports: [server.port, door], paths: PATHS })})`,
    );
    deepEqual(seen, []);
    // It was there to be seen: the same browser on the server's own page reads it.
    await foreign.page.goto(`${server.url}/`);
    const own = await foreign.page.evaluate<number>(
      `fetch("/upstream/hello/props").then((answer) => answer.text()).then((text) => text.length)`,
    );
    ok(own > 100, `${own}`);
  },
);

Deno.test(
  threatName(3, "the socket behind the door answers nobody without its key, and no origin"),
  async () => {
    await using server = await startServer({ doors: "29141-29160" });
    await (await server.post("/admin/models/hello/load", {})).body?.cancel();
    const pid = instancesWith(join(server.home, "..")).find((each) =>
      argumentsOf(each)[0]!.endsWith("llama-server")
    )!;
    const args = argumentsOf(pid);
    match(args[args.indexOf("--host") + 1]!, /\.sock$/);
    ok(!args.includes("--port"));
    const [path] = socketFilesBelow(join(server.home, "..", "run"));
    ok(path !== undefined);
    using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
    const key = environmentOf(pid).get("LLAMA_API_KEY")!;
    const origin = "http://evil.example";
    for (const path of PATHS) {
      for (const method of ["GET", "OPTIONS"]) {
        const answer = await fetch(`http://instance.invalid${path}`, {
          client,
          method,
          headers: {
            origin,
            ...(method === "OPTIONS" && { "access-control-request-method": "POST" }),
            ...(path === "/props" && { authorization: `Bearer ${key}` }),
          },
        });
        await answer.body?.cancel();
        const allowed = answer.headers.get("access-control-allow-origin");
        ok(allowed !== "*" && allowed !== origin, `${method} ${path}: ${allowed}`);
        if (path === "/props" || method === "OPTIONS" || path === "/health") continue;
        ok(answer.status === 401 || answer.status === 404, `${path}: ${answer.status}`);
      }
    }
  },
);

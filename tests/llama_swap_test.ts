// llama-swap's routes as its users' scripts call them.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { chat, rowOf, streamChat } from "./support/chat.ts";
import { ENDLESS_MODEL } from "./support/gguf_files.ts";
import { writeSpeakers } from "./support/speakers.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { textUntil } from "./support/text_until.ts";
import { writeTestModel } from "../src/models/hello_model.ts";
import { join } from "node:path";

interface RunningModel {
  model: string;
  state: string;
  cmd: string;
  proxy: string;
  ttl: number;
  name: string;
  description: string;
}

async function running(server: ServerProcess): Promise<RunningModel[]> {
  return (await server.json<{ running: RunningModel[] }>("/running")).running;
}

Deno.test("/running lists who is loaded, with a door that answers", async () => {
  await using server = await startServer({ prepare: (home) => writeSpeakers(home, ["b", "a"]) });
  deepEqual(await running(server), []);
  await chat(server, "b", { keep_alive: 90 });
  await chat(server, "a", { keep_alive: -1 });
  const [a, b, ...more] = await running(server);
  deepEqual(more, []);
  const { proxy, ...rest } = b!;
  deepEqual(rest, { model: "b", state: "ready", cmd: "", ttl: 90, name: "b", description: "" });
  deepEqual([a!.model, a!.ttl], ["a", 0]);
  const props = await (await fetch(`${proxy}/props`)).json();
  equal(props.model_alias ?? "b", "b");
});

Deno.test("/unload and /api/models/unload unload all, or the one that is named, after their answers", async () => {
  await using server = await startServer({
    async prepare(home) {
      await writeSpeakers(home, ["a", "b"]);
      await writeTestModel(join(home, "endless.gguf"), ENDLESS_MODEL);
    },
  });
  const loadAll = async () => {
    for (const id of ["a", "b"]) await chat(server, id);
    equal((await running(server)).length, 2);
  };
  const unloads: [path: string, method: string, answer: string, left: string[]][] = [
    ["/unload", "GET", "OK", []],
    ["/unload", "POST", "OK", []],
    ["/api/models/unload", "POST", '{"msg":"ok"}', []],
    ["/api/models/unload/A:latest", "POST", "OK", ["b"]],
  ];
  for (const [path, method, answer, left] of unloads) {
    await loadAll();
    const response = await server.fetch(path, { method });
    equal(response.status, 200);
    equal(await response.text(), answer);
    deepEqual((await running(server)).map(({ model }) => model), left);
  }
  const unknown = await server.fetch("/api/models/unload/nobody", { method: "POST" });
  equal(unknown.status, 404);
  equal((await unknown.json()).error.code, "model_not_found");

  await using stream = streamChat(server, "endless", { max_tokens: 300 });
  await until(() => stream.text !== "");
  const unloading = server.fetch("/unload");
  equal((await stream.ended).reason, "length");
  equal(await (await unloading).text(), "OK");
  deepEqual(await running(server), []);
});

Deno.test("a GET of /unload that another page caused changes nothing, nor does HEAD", async () => {
  await using server = await startServer();
  await chat(server, "hello");
  const navigation = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  const tries: [headers: Record<string, string>, method: string, status: number][] = [
    [{ "sec-fetch-site": "cross-site", ...navigation }, "GET", 403],
    [{ "sec-fetch-site": "same-site", ...navigation }, "GET", 403],
    [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, "GET", 403],
    [{ origin: "https://evil.example" }, "GET", 403],
    [{ origin: server.url, "sec-fetch-site": "same-origin" }, "GET", 403],
    [{ origin: "https://evil.example" }, "POST", 403],
    [{}, "HEAD", 405],
  ];
  for (const [headers, method, status] of tries) {
    const answer = await server.fetch("/unload", { method, headers });
    equal(answer.status, status, JSON.stringify(headers));
    await answer.body?.cancel();
    equal((await rowOf(server, "hello")).state, "ready");
  }
  // Typed into the address bar, and the page at our own address.
  for (const site of ["none", "same-origin"]) {
    await chat(server, "hello");
    const headers = { "sec-fetch-site": site, ...navigation };
    equal(await (await server.fetch("/unload", { headers })).text(), "OK");
    equal((await rowOf(server, "hello")).state, "stopped");
  }
});

Deno.test("/logs is the server's and the models' last lines as text, /logs/stream goes on with them", async () => {
  await using server = await startServer({ prepare: (home) => writeSpeakers(home, ["a"]) });
  const abort = new AbortController();
  const streams = await Promise.all(
    ["", "/proxy", "/upstream", "/a", "?no-history"].map(async (path) => {
      const answer = await server.fetch(`/logs/stream${path}`, { signal: abort.signal });
      equal(answer.headers.get("content-type"), "text/plain; charset=utf-8");
      const state = { path, text: "", ended: Promise.resolve() };
      state.ended = (async () => {
        try {
          for await (const chunk of textUntil(answer, abort.signal)) state.text += chunk;
        } catch (error) {
          if (!abort.signal.aborted) throw error;
        }
      })();
      return state;
    }),
  );
  await server.fetch("/admin/models/a/settings", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ extra_args: ["--log-verbosity", "3"] }),
  }).then((response) => response.body?.cancel());
  await chat(server, "a");
  const own = /orchestrator: Model is ready model=a/;
  const its = /model loaded/;
  const [all, proxy, upstream, one, later] = streams;
  await until(() => own.test(all!.text) && its.test(all!.text));
  await until(() => own.test(proxy!.text) && its.test(upstream!.text) && its.test(one!.text));
  await until(() => own.test(later!.text) && its.test(later!.text));
  ok(!its.test(proxy!.text) && !own.test(upstream!.text) && !own.test(one!.text));
  match(all!.text, /^\[a\] .*model loaded/m);
  match(one!.text, /^[^[].*model loaded/m);
  for (const { text } of streams) ok(text.endsWith("\n"));

  const logs = await server.fetch("/logs");
  equal(logs.headers.get("content-type"), "text/plain; charset=utf-8");
  const text = await logs.text();
  ok(own.test(text) && its.test(text));

  // A process that is started anew is joined, and each of its lines comes once.
  await server.fetch("/unload").then((response) => response.body?.cancel());
  await chat(server, "a");
  await until(() => one!.text.split(/model loaded/).length === 3);
  await until(() => all!.text.split(/model loaded/).length === 3);
  equal(one!.text.split(/model loaded/).length, 3);
  abort.abort();
  await Promise.all(streams.map(({ ended }) => ended));
  const unknown = await server.fetch("/logs/stream/nobody");
  equal(unknown.status, 404);
  await unknown.body?.cancel();
});

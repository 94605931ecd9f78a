// What becomes of Ollama's answers when the client leaves or the process dies in the middle.

import { equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { writeTestModel } from "../src/models/hello_model.ts";
import { rowOf } from "./support/chat.ts";
import { ENDLESS_MODEL } from "./support/gguf_files.ts";
import { RawClient } from "./support/raw_client.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";

const CHAT = { model: "endless", messages: [{ role: "user", content: "hi" }] };

function served(): Promise<ServerProcess> {
  return startServer({
    prepare: (home) =>
      // Long enough that no answer ends by itself while a test looks.
      writeTestModel(join(home, "endless.gguf"), { ...ENDLESS_MODEL, contextLength: 200_000 }),
    flags: ["--memory-budget", "2GB"],
  });
}

async function setSettings(server: ServerProcess, settings: unknown): Promise<void> {
  const answer = await server.fetch("/admin/models/endless/settings", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(settings),
  });
  equal(answer.status, 200, await answer.text());
}

Deno.test("an answer in one piece ends when its client leaves, also beside one that streams", async () => {
  await using server = await served();
  await setSettings(server, { parallel: 2, context: 100_000 });
  const stream = await server.post("/api/chat", CHAT);
  const reader = stream.body!.getReader();
  await reader.read();
  // With a connection of its own: when `fetch` closes one after an abort is its own affair.
  using whole = await RawClient.posting(server.port, {
    path: "/api/chat",
    body: { ...CHAT, stream: false },
  });
  await until(async () => (await rowOf(server, "endless")).leases === 2);
  whole.leave();
  await until(async () => (await rowOf(server, "endless")).leases === 1, 30_000);
  ok(!(await reader.read()).done, "the other one goes on");
  await reader.cancel();
  await until(async () => (await rowOf(server, "endless")).leases === 0);
});

Deno.test("a process that dies: the last line of a stream says so, and so does the status of the rest", async () => {
  await using server = await served();
  const stream = await server.post("/api/generate", { model: "endless", prompt: "hi" });
  const whole = server.post("/api/chat", { ...CHAT, stream: false });
  const lines = stream.body!.pipeThrough(new TextDecoderStream());
  let text = "";
  let killed: number | null = null;
  for await (const chunk of lines) {
    text += chunk;
    if (killed !== null) continue;
    const { pid, leases, queued } = await rowOf(server, "endless");
    if (leases + queued < 2) continue;
    Deno.kill(pid!, "SIGKILL");
    killed = pid;
  }
  const last = JSON.parse(text.trimEnd().split("\n").at(-1)!);
  equal(Object.keys(last).join(), "error");
  match(last.error, /broke off: its process ended/);
  // It has not seen a byte: it was asked once more, of a new process.
  const again = await until(async () => {
    const { pid, state, leases } = await rowOf(server, "endless");
    return pid !== killed && state === "ready" && leases === 1 && pid;
  });
  Deno.kill(again, "SIGKILL");
  const answer = await whole;
  equal(answer.status, 502);
  match((await answer.json()).error, /broke off/);
});

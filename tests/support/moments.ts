// What a gateway may be doing when it is cut off: a request of each kind, begun and left to itself.

import assert from "node:assert/strict";
import { type ServerProcess, until } from "./server_process.ts";

/** One answer of a model, that is right. */
export async function generate(server: ServerProcess, model_id = "hello"): Promise<void> {
  const answer = await server.post("/generate", { model_id, prompt: "hi" });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  assert.ok(JSON.parse(text).response.length > 0, text);
}

/** What a gateway may be doing when it is killed. The request is not waited for. */
export const MOMENTS: Record<string, (server: ServerProcess) => Promise<void>> = {
  async starting() {},
  async loading(server) {
    await until(async () => {
      const { runtime } = await server.json<{ runtime: { phase: string } }>("/admin/system");
      return runtime.phase === "ready";
    });
    ignore(server.post("/generate", { model_id: "hello", prompt: "hi" }));
    await delay(Math.random() * 80);
  },
  async ready(server) {
    await generate(server);
    await delay(Math.random() * 20);
  },
  async streaming(server) {
    const answer = server.post("/generate", { model_id: "endless", prompt: "hi", stream: true });
    const { body } = await answer;
    const reader = body!.getReader();
    await reader.read();
    await delay(Math.random() * 50);
    ignore(reader.read().finally(() => reader.cancel()));
  },
  async unloading(server) {
    await generate(server);
    ignore(server.post("/admin/models/hello/unload", {}));
    await delay(Math.random() * 20);
  },
};

export function delay(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

// The connection breaks when the gateway is killed: that is what is meant to happen.
function ignore(request: Promise<Response | unknown>): void {
  request.then(
    (answer) => answer instanceof Response ? answer.body?.cancel() : null,
    () => {},
  ).catch(() => {});
}

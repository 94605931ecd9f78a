import { deepEqual } from "node:assert/strict";
import { logStream } from "../src/gateway/log_stream.ts";
import { logTextStream } from "../src/gateway/log_text.ts";
import { LlamaLog } from "../src/runtime/llama_log.ts";
import { until } from "./support/server_process.ts";

/** Both look for another start every 250 ms. */
const LOOKS_MS = 700;

/** A model's process as those see it who follow its log. */
class Started {
  readonly modelId = "a";
  token = "";
  processId: number | null = null;
  #log = new LlamaLog();

  start(token: string): void {
    this.token = token;
    this.processId = null;
    this.#log = new LlamaLog();
  }
  say(line: string): void {
    this.#log.take(line);
  }
  get lastLines(): readonly string[] {
    return this.#log.lastLines;
  }
  followLog(listener: (line: string) => void): () => void {
    return this.#log.follow(listener);
  }
}

Deno.test("Whoever follows a model's log has each line once, also those before its process has a number", async () => {
  const instance = new Started();
  const entry = { model: { id: "a" }, instance };
  const parts = { orchestrator: { entries: () => [entry] }, logTail: { lines: [] } };
  const text = new Response(
    logTextStream(parts as never, { choice: { of: "model", id: "a" }, history: true }),
  );
  const responses = [logStream(() => instance), text];
  const seen = responses.map(() => "");
  const readers = responses.map((response) =>
    response.body!.pipeThrough(new TextDecoderStream()).getReader()
  );
  const reading = readers.map(async (reader, n) => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      seen[n] += part.value;
    }
  });
  for (const [token, number] of [["first", 5], ["second", 6]] as const) {
    instance.start(token);
    await until(() => {
      // Said again until both look at this start; what is said in between is nobody's to hear twice.
      instance.say(`waiting for ${token}`);
      return seen.every((each) => each.includes(`waiting for ${token}`));
    });
    instance.say(`${token} loads`);
    instance.processId = number;
    await new Promise((resolve) => setTimeout(resolve, LOOKS_MS));
    instance.say(`${token} is ready`);
  }
  await until(() => seen.every((each) => each.includes("second is ready")));
  await Promise.all(readers.map((reader) => reader.cancel()));
  await Promise.all(reading);
  for (const each of seen) {
    const told = each.match(/\w+ (?:loads|is ready)/g);
    deepEqual(told, ["first loads", "first is ready", "second loads", "second is ready"]);
  }
});

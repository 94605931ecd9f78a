// Model files that come, go and change while the server runs, up to their processes.

import { deepEqual, equal, ok } from "node:assert/strict";
import { join } from "node:path";

import { HELLO_SENTENCE, writeTestModel } from "../src/models/hello_model.ts";
import { chat, rowOf, rowsOf } from "./support/chat.ts";
import { helloBytes } from "./support/gguf_files.ts";
import { isAlive, modelProcesses } from "./support/model_processes.ts";
import { startServer, until } from "./support/server_process.ts";
import { sentenceOf, writeSpeakers } from "./support/speakers.ts";

Deno.test("files that come, are renamed and go are models that come and go", async () => {
  await using server = await startServer();
  const path = (id: string) => join(server.home, `${id}.gguf`);
  const ids = async () => (await rowsOf(server)).map(({ id }) => id);
  deepEqual(await ids(), ["hello"]);

  await writeSpeakers(server.home, ["a"]);
  // At once: a request for a name that is not known yet looks once more.
  equal((await chat(server, "a")).text, sentenceOf("a"));
  deepEqual(await ids(), ["a", "hello"]);

  const { pid } = await rowOf(server, "a");
  await Deno.rename(path("a"), path("b"));
  await until(async () => (await ids()).join() === "b,hello");
  await until(() => !isAlive(pid!));
  equal((await chat(server, "b")).text, sentenceOf("a"));
  equal((await chat(server, "a")).status, 404);

  const loaded = (await rowOf(server, "b")).pid!;
  await Deno.remove(path("b"));
  await until(() => !isAlive(loaded));
  deepEqual(await ids(), ["hello"]);
  equal((await chat(server, "b")).status, 404);
  deepEqual(modelProcesses(server.home), []);
});

Deno.test("a half-written file is no model until it is whole", async () => {
  await using server = await startServer();
  const bytes = helloBytes();
  using file = await Deno.open(join(server.home, "slow-copy.gguf"), { write: true, create: true });
  await file.write(bytes.subarray(0, bytes.length / 2));
  // Each looks at the folder, and would show a file that is whole.
  for (let look = 0; look < 2; look++) {
    deepEqual((await rowsOf(server)).map(({ id }) => id), ["hello"]);
  }
  equal((await chat(server, "slow-copy")).status, 404);
  await file.write(bytes.subarray(bytes.length / 2));
  const row = await until(async () => (await rowsOf(server)).find(({ id }) => id === "slow-copy"));
  equal(row.error, null);
  equal((await chat(server, "slow-copy")).text, HELLO_SENTENCE);
});

Deno.test("a user's own hello takes the place of the built-in one, and gives it back", async () => {
  await using server = await startServer();
  equal((await chat(server, "hello")).text, HELLO_SENTENCE);
  const path = join(server.home, "hello.gguf");
  await writeTestModel(path, { sentence: sentenceOf("my own hello") });
  await until(async () => !(await rowOf(server, "hello")).builtin);
  const answer = await until(async () => {
    // What runs goes on until it is unloaded.
    await server.post("/admin/models/hello/unload", {}).then((response) => response.body?.cancel());
    const { text } = await chat(server, "hello");
    return text !== HELLO_SENTENCE && text;
  });
  equal(answer, sentenceOf("my own hello"));
  await Deno.remove(path);
  await until(async () => (await rowOf(server, "hello")).builtin);
  await server.post("/admin/models/hello/unload", {}).then((response) => response.body?.cancel());
  equal((await chat(server, "hello")).text, HELLO_SENTENCE);
  ok((await rowOf(server, "hello")).builtin);
});

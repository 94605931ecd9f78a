// /api/tags, /api/ps, /api/show and /api/version, field by field.

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { join } from "node:path";
import { buildTestModel, writeTestModel } from "../src/models/hello_model.ts";
import { EMBEDDING_MODEL, ggufFile, THINKING_MODEL, TOOL_MODEL } from "./support/gguf_files.ts";
import { askOllama, askWell, checkTable, type Json } from "./support/ollama_api.ts";
import { type ServerProcess, startServer } from "./support/server_process.ts";

const TAGS = "GET /api/tags";
const PS = "GET /api/ps";
const SHOW = "POST /api/show";
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/;
const PROJECTOR = ggufFile({
  "general.architecture": { string: "clip" },
  "clip.has_vision_encoder": { bool: true },
});

function served(): Promise<ServerProcess> {
  return startServer({
    async prepare(home) {
      for (const model of [TOOL_MODEL, THINKING_MODEL, EMBEDDING_MODEL]) {
        await writeTestModel(join(home, `${model.name}.gguf`), model);
      }
      await Deno.mkdir(join(home, "sees"));
      await Deno.writeFile(join(home, "sees", "sees.gguf"), buildTestModel(TOOL_MODEL));
      await Deno.writeFile(join(home, "sees", "mmproj-model-f16.gguf"), PROJECTOR);
    },
  });
}

async function setSettings(server: ServerProcess, model: string, settings: unknown): Promise<void> {
  const answer = await server.fetch(`/admin/models/${model}/settings`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(settings),
  });
  equal(answer.status, 200, await answer.text());
}

Deno.test("/api/tags has every field of Ollama's, each with its type and meaning", async () => {
  await using server = await served();
  const models = (await askWell(server, TAGS)).last.models as Json[];
  const model = (name: string) => models.find((each) => each.name === `${name}:latest`);
  const each = (test: (model: Json) => unknown) => ok(models.every(test), JSON.stringify(models));
  const names = ["embedding", "sees", "thinking", "tool", "hello"];
  const file = await Deno.stat(join(server.home, "tool.gguf"));
  await checkTable(TAGS, {
    "< models.name": async () => {
      deepEqual(models.map(({ name }) => name), names.map((name) => `${name}:latest`));
      await setSettings(server, "tool", { aliases: ["gpt-4o-mini", "helper:3b"] });
      const listed = (await askWell(server, TAGS)).last.models as Json[];
      deepEqual(listed.map(({ name }) => name).filter((name) => /helper|gpt/.test(name)), [
        "gpt-4o-mini:latest",
        "helper:3b",
      ]);
    },
    "< models.model": () => each(({ name, model }) => name === model),
    "< models.modified_at": () => {
      each(({ modified_at }) => RFC_3339.test(modified_at));
      equal(Date.parse(model("tool").modified_at), file.mtime!.getTime());
    },
    "< models.size": () => equal(model("tool").size, file.size),
    "< models.digest": async () => {
      each(({ digest }) => /^[0-9a-f]{64}$/.test(digest));
      equal(new Set(models.map(({ digest }) => digest)).size, models.length);
      const again = (await askWell(server, TAGS)).last.models as Json[];
      const digests = new Map(again.map(({ name, digest }) => [name, digest]));
      for (const { name, digest } of models) equal(digests.get(name), digest, name);
    },
    "< models.details.parent_model": () => each(({ details }) => details.parent_model === ""),
    "< models.details.format": () => each(({ details }) => details.format === "gguf"),
    "< models.details.family": () => each(({ details }) => details.family === "llama"),
    "< models.details.families": () =>
      each(({ details }) => details.families.length === 1 && details.families[0] === "llama"),
    "< models.details.parameter_size": () =>
      each(({ details }) => /^\d+\.\d\d?[BMK]$/.test(details.parameter_size)),
    "< models.details.quantization_level": () =>
      each(({ details }) => details.quantization_level === "F32"),
    "< models.details.context_length": () => each(({ details }) => details.context_length === 8192),
    "< models.details.embedding_length": () =>
      each(({ details }) => details.embedding_length === 64),
    "< models.capabilities": () => {
      deepEqual(names.map((name) => model(name).capabilities), [
        ["embedding"],
        ["completion", "tools", "vision"],
        ["completion", "thinking"],
        ["completion", "tools"],
        ["completion"],
      ]);
    },
  });
});

Deno.test("/api/ps has every field of Ollama's, each with its type and meaning", async () => {
  await using server = await served();
  deepEqual((await askWell(server, PS)).last, { models: [] });
  const load = (model: string, keep_alive: unknown) =>
    askWell(server, "POST /api/generate", { model, keep_alive, options: { num_ctx: 1024 } });
  await load("tool", "1h");
  await load("hello", -1);
  await load("thinking", "10m");
  const models = (await askWell(server, PS)).last.models as Json[];
  const listed = (await askWell(server, TAGS)).last.models as Json[];
  const leftMs = models.map(({ expires_at }) => Date.parse(expires_at) - Date.now());
  await checkTable(PS, {
    "< models.name": () => {
      deepEqual(models.map(({ name }) => name), ["hello:latest", "tool:latest", "thinking:latest"]);
    },
    "< models.model": () => ok(models.every(({ name, model }) => name === model)),
    "< models.size": async () => {
      const rows = await server.json<Json[]>("/admin/models");
      for (const { name, size } of models) {
        equal(size, rows.find(({ id }) => `${id}:latest` === name)!.memory_bytes, name);
      }
    },
    "< models.digest": () => {
      for (const { name, digest } of models) {
        equal(digest, listed.find((each) => each.name === name).digest, name);
      }
    },
    "< models.details": () => {
      for (const { name, details } of models) {
        deepEqual(details, listed.find((each) => each.name === name).details, name);
      }
    },
    "< models.expires_at": () => {
      ok(models.every(({ expires_at }) => RFC_3339.test(expires_at)));
      ok(leftMs[0]! > 100 * 365 * 86_400_000, "what never goes, as Ollama says it");
      ok(leftMs[1]! > 59 * 60_000 && leftMs[1]! <= 60 * 60_000);
      ok(leftMs[2]! > 9 * 60_000 && leftMs[2]! <= 10 * 60_000);
    },
    "< models.size_vram": () => ok(models.every(({ size_vram }) => size_vram === 0), "no GPU here"),
    "< models.context_length": () => ok(models.every((each) => each.context_length === 1024)),
  });
});

Deno.test("/api/show has every field of Ollama's, each with its type and meaning", async () => {
  await using server = await served();
  await setSettings(server, "tool", {
    system_prompt: "Be kind",
    sampling: { temperature: 0.5, stop: ["a", "b"], max_tokens: 9 },
  });
  const show = async (fields: Record<string, unknown>) =>
    (await askWell(server, SHOW, { model: "tool", ...fields })).last;
  const tool = await show({});
  const refuse = async (...all: Record<string, unknown>[]) => {
    for (const fields of all) {
      const { status, last } = await askOllama(server, SHOW, { model: "tool", ...fields });
      deepEqual([status, typeof last.error], [400, "string"], JSON.stringify(fields));
    }
  };
  await Deno.writeFile(
    join(server.home, "licensed.gguf"),
    ggufFile({
      "general.license": { string: "mit" },
      "tokenizer.chat_template": { string: "{{ x }}" },
    }),
  );
  await checkTable(SHOW, {
    "> model": async () => {
      equal((await show({ model: "TOOL:latest" })).template, tool.template);
      const unknown = await askOllama(server, SHOW, { model: "nobody" });
      equal(unknown.status, 404);
      match(unknown.last.error, /^model 'nobody' not found/);
      await refuse({ model: 7 });
    },
    "> name": async () => equal((await show({ model: "", name: "tool" })).system, "Be kind"),
    "> verbose": async () => {
      equal("tensors" in tool, false);
      await refuse({ verbose: "yes" });
    },
    "> system": async () => {
      equal((await show({ system: "Be rude" })).system, "Be rude");
      await refuse({ system: 7 });
    },
    "> options": async () => {
      match((await show({ options: { top_k: 3 } })).parameters, /top_k +3/);
      await refuse({ options: 7 }, { options: { top_k: "x" } });
    },
    "< license": async () => {
      equal("license" in tool, false);
      equal((await show({ model: "licensed" })).license, "mit");
    },
    "< modelfile": () => {
      match(tool.modelfile, /^FROM tool\nTEMPLATE """\{%/);
      match(
        tool.modelfile,
        /\nSYSTEM """Be kind"""\nPARAMETER num_predict 9\nPARAMETER stop "a"\n/,
      );
    },
    "< parameters": () => {
      const lines = tool.parameters.split("\n").map((line: string) => line.replace(/ +/, " "));
      deepEqual(lines, ["num_predict 9", 'stop "a"', 'stop "b"', "temperature 0.5"]);
    },
    "< template": () => equal(tool.template, TOOL_MODEL.chatTemplate),
    "< system": async () => {
      equal(tool.system, "Be kind");
      equal("system" in (await show({ model: "hello" })), false);
    },
    "< details": async () => {
      const { models } = (await askWell(server, TAGS)).last;
      deepEqual(tool.details, models.find((each: Json) => each.name === "tool:latest").details);
    },
    "< model_info": () => {
      const { model_info: info } = tool;
      equal(info["general.architecture"], "llama");
      equal(info["llama.context_length"], 8192);
      equal(info["general.parameter_count"], 58_816);
      equal("tokenizer.ggml.tokens" in info, false, "not the long lists");
    },
    "< projector_info": async () => {
      equal("projector_info" in tool, false);
      const { projector_info: info } = await show({ model: "sees" });
      deepEqual([info["general.architecture"], info["clip.has_vision_encoder"]], ["clip", true]);
    },
    "< capabilities": () => deepEqual(tool.capabilities, ["completion", "tools"]),
    "< modified_at": () => match(tool.modified_at, RFC_3339),
    "< tensors": async () => {
      const { tensors } = await show({ verbose: true });
      const embedding = tensors.find((each: Json) => each.name === "token_embd.weight");
      deepEqual([embedding.type, embedding.shape[0]], ["F32", 64]);
      equal(tensors.length, 12);
    },
  });
});

Deno.test("/api/version names a release that clients take, for GET and HEAD", async () => {
  await using server = await served();
  const { version } = (await askWell(server, "GET /api/version")).last;
  await checkTable("GET /api/version", {
    "< version": () => {
      const [major, minor] = version.split(".").map(Number);
      equal(major, 0);
      // What VS Code asks for at least; older clients ask for less.
      ok(minor >= 7);
      match(version, /^\d+\.\d+\.\d+$/);
    },
  });
  for (const path of ["/api/version", "/api/tags", "/api/ps", "/"]) {
    const head = await server.fetch(path, { method: "HEAD" });
    deepEqual([head.status, await head.text()], [200, ""], path);
  }
  equal(await (await server.fetch("/")).text(), "Ollama is running");
});

Deno.test("what was chosen for a model changes its digest, a second name does not", async () => {
  await using server = await served();
  const digestOf = async (name: string) =>
    ((await askWell(server, TAGS)).last.models as Json[]).find((each) => each.name === name)
      ?.digest;
  await askWell(server, "POST /api/copy", { source: "tool", destination: "second" });
  equal(await digestOf("second:latest"), await digestOf("tool:latest"));
  await setSettings(server, "second", { system_prompt: "Be kind" });
  notEqual(await digestOf("second:latest"), await digestOf("tool:latest"));
});

// POST /api/create: a model of its own from one that is there, or from files that were sent. What it
// shall say and how is kept in its settings.

import { type Context, Hono } from "@hono/hono";
import type { ModelSettings } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { BlobStore } from "../models/blob_store.ts";
import type { Model } from "../models/library.ts";
import { canLink } from "../models/model_copy.ts";
import { makeModel, type SentFile } from "../models/model_creation.ts";
import { DEFAULT_MODEL_SETTINGS } from "../models/model_settings.ts";
import { changeSettings } from "./admin_model_settings.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { JsonObject } from "./json_body.ts";
import { OLLAMA_CREATE_BODY } from "./ollama_bodies.ts";
import { flagOf, objectOf, readFields, requiredName, textOf, wrong } from "./ollama_fields.ts";
import { copyFiles, modelNamed, namesFor, nameTaken, offered } from "./ollama_manage.ts";
import { findNamed, idFromName } from "./ollama_names.ts";
import { readOptions, settingsFrom } from "./ollama_options.ts";
import { type Progress, progressAnswer } from "./ollama_progress.ts";
import { notSupported, refuseTemplate } from "./ollama_refusals.ts";
import type { Parts } from "./parts.ts";

export interface CreateParts extends Parts {
  blobs: BlobStore;
}

export function ollamaCreateRoutes(parts: CreateParts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.post("/api/create", (context) => create(parts, context));
  return routes;
}

interface Wish {
  name: string;
  from: string | null;
  /** By the client's names for them. */
  files: Map<string, string>;
  change: Partial<ModelSettings>;
  hasLicense: boolean;
}

async function create(parts: CreateParts, context: Context<GatewayEnv>): Promise<Response> {
  const fields = await readFields(parts, context, OLLAMA_CREATE_BODY);
  const stream = flagOf(fields, "stream") ?? true;
  const wish = readWish(fields);
  return await progressAnswer(making(parts, wish), { stream, log: parts.log });
}

function readWish(fields: JsonObject): Wish {
  const name = requiredName(fields, "model", "name");
  refuseUnmade(fields);
  const system = textOf(fields, "system");
  const template = textOf(fields, "template") ?? "";
  if (!isJinja(template)) refuseTemplate(template);
  const { sampling, load } = readOptions(objectOf(fields, "parameters"));
  const files = new Map<string, string>();
  for (const [file, digest] of Object.entries(objectOf(fields, "files") ?? {})) {
    if (typeof digest !== "string") throw wrong("files", "an object of names and digests");
    files.set(file, digest);
  }
  const from = textOf(fields, "from");
  if ((from === null || from === "") && files.size === 0) {
    throw new AppError("invalid_request", "neither 'from' or 'files' was specified");
  }
  return {
    name,
    from: from === "" ? null : from,
    files,
    change: {
      ...(system !== null && { system_prompt: system === "" ? null : system }),
      ...(template !== "" && { chat_template: template }),
      ...(Object.keys(sampling).length > 0 && { sampling: settingsFrom(sampling) }),
      ...(load.contextTokens !== undefined && { context: load.contextTokens }),
      ...(load.gpuLayers !== undefined && { gpu_layers: load.gpuLayers }),
      ...(load.threads !== undefined && { threads: load.threads }),
    },
    hasLicense: (fields.license ?? "") !== "",
  };
}

const UNMADE: readonly [field: string, reason: string][] = [
  ["quantize", "Cannot quantize here. Fetch the quantization that you want"],
  ["adapters", 'Cannot take "adapters" here. Set "lora" in the settings of the model'],
  ["messages", 'Cannot keep "messages" with a model. Send them with each chat'],
  ["modelfile", 'Cannot read a "modelfile". Send "from", "system" and "parameters"'],
];

// A model that leaves out what it was asked for would say other things than its maker thinks.
function refuseUnmade(fields: JsonObject): void {
  for (const [field, reason] of UNMADE) {
    const value = fields[field] ?? "";
    const isEmpty = value === "" || (typeof value === "object" && Object.keys(value).length === 0);
    if (!isEmpty) throw notSupported(reason);
  }
}

function isJinja(template: string): boolean {
  return template.includes("{%") || /\{\{-?\s*messages\b/.test(template);
}

async function* making(parts: CreateParts, wish: Wish): AsyncGenerator<Progress> {
  const { change } = wish;
  const { model, base } = wish.from === null
    ? await fromFiles(parts, wish)
    : await fromModel(parts, wish);
  yield { status: wish.from === null ? "parsing GGUF" : "reading model metadata" };
  if (change.chat_template !== undefined) yield { status: "creating template layer" };
  if (change.system_prompt !== undefined) yield { status: "creating system layer" };
  if (change.sampling !== undefined) yield { status: "creating parameters layer" };
  if (wish.hasLicense) yield { status: "license is not kept: the model's file has its own" };
  const { aliases, pinned } = parts.registry.settingsOf(model.id);
  const sampling = { ...base.sampling, ...change.sampling };
  const own = {
    aliases: [...new Set([...aliases, ...namesFor(model.id, wish.name).aliases])],
    pinned,
  };
  await changeSettings(parts, { model, change: { ...base, ...change, sampling, ...own } });
  yield { status: "writing manifest" };
  // The next request loads it with its new settings; answers in progress end first.
  if (parts.orchestrator.stateOf(model.id) === "ready") await parts.orchestrator.unload(model.id);
  yield { status: "success" };
}

interface Made {
  model: Model;
  /** What the new settings begin with. */
  base: ModelSettings;
}

async function fromModel(parts: CreateParts, { name, from }: Wish): Promise<Made> {
  const source = await findNamed(parts, from);
  const base = parts.registry.settingsOf(source.id);
  const known = modelNamed(parts, name);
  if (known !== null) {
    // Made anew, as its maker changes a word: the same file, other settings.
    if (known.id === source.id || await isSameFile(known, source)) return { model: known, base };
    throw nameTaken(name, known);
  }
  if (canLink(source)) {
    return { model: await copyFiles(parts, { model: source, name }), base };
  }
  throw notSupported(
    `Cannot make a model from ${
      JSON.stringify(source.id)
    }: its files lie where they are only read. Copy them into the models folder first`,
  );
}

async function fromFiles(parts: CreateParts, { name, files }: Wish): Promise<Made> {
  const known = modelNamed(parts, name);
  if (known !== null) throw nameTaken(name, known);
  const sent: SentFile[] = [];
  for (const [file, digest] of files) {
    const path = parts.blobs.pathOf(digest);
    if (!await parts.blobs.has(digest)) {
      throw new AppError(
        "invalid_request",
        `Cannot find the blob ${JSON.stringify(digest)}: send it to /api/blobs first`,
      );
    }
    sent.push({ name: file, path });
  }
  const id = idFromName(name);
  await makeModel(sent, { home: parts.config().home, id });
  // An earlier model of this name may have left some.
  parts.registry.setSettings(id, DEFAULT_MODEL_SETTINGS);
  return { model: await offered(parts, id), base: DEFAULT_MODEL_SETTINGS };
}

async function isSameFile(a: Model, b: Model): Promise<boolean> {
  const [first, second] = await Promise.all([Deno.lstat(a.path), Deno.lstat(b.path)]);
  return first.ino !== null && first.ino === second.ino && first.dev === second.dev;
}

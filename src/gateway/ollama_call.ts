// What `generate` and `chat` have in common: the model and its settings, an answer by the instance, and
// the requests that only load or unload.

import type { Context } from "@hono/hono";
import type { Model } from "../models/library.ts";
import type { Schema } from "../schema.ts";
import type { LoadWishes } from "../orchestrator/load_wishes.ts";
import { forward, type Upstream } from "./forward.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { JsonObject } from "./json_body.ts";
import { checkMedia } from "./media.ts";
import { keepAliveOf } from "./model_request.ts";
import { flagOf, namedModel, objectOf, readFields } from "./ollama_fields.ts";
import { findNamed } from "./ollama_names.ts";
import { readOptions, type SamplingFields, withDefaults } from "./ollama_options.ts";
import {
  answerLines,
  type AnswerShape,
  brokenEvent,
  head,
  LINES_TYPE,
  wholeAnswer,
} from "./ollama_stream.ts";
import { modeBeside } from "./serving_mode.ts";
import type { ServingParts } from "./request_defaults.ts";

/** A request that is read and whose model is known. */
export interface OllamaCall {
  context: Context<GatewayEnv>;
  fields: JsonObject;
  model: Model;
  /** The name that the client used: answers repeat it. */
  name: string;
  stream: boolean;
  keepAliveMs: number | undefined;
  sampling: SamplingFields;
  load: LoadWishes | undefined;
  /** From the model's settings. */
  system: string | null;
  /** Without one a prompt is read as it stands. */
  hasTemplate: boolean;
  startedMs: number;
}

/** Reads a request and finds its model. What is wrong is told before anything is loaded. */
export async function readCall(
  parts: ServingParts,
  context: Context<GatewayEnv>,
  schema: Schema,
): Promise<OllamaCall> {
  const startedMs = performance.now();
  const fields = await readFields(parts, context, schema);
  const name = namedModel(fields);
  const stream = flagOf(fields, "stream") ?? true;
  const keepAliveMs = keepAliveOf(fields);
  const { sampling, load } = readOptions(objectOf(fields, "options"));
  // Where a prompt is too long, both say so; nothing is cut in silence (CONTRIBUTING, decisions).
  flagOf(fields, "truncate");
  flagOf(fields, "shift");
  const model = await findNamed(parts, name);
  const settings = parts.settings.of(model);
  return {
    context,
    fields,
    model,
    name: name ?? model.id,
    stream,
    keepAliveMs,
    sampling: withDefaults(sampling, settings.sampling),
    load: Object.keys(load).length === 0 ? undefined : load,
    system: settings.system_prompt,
    hasTemplate: settings.chat_template !== null || model.facts?.chatTemplate !== null,
    startedMs,
  };
}

export interface Asked {
  /** At the instance. */
  path: string;
  body: JsonObject;
  /** The fields of a piece or of the whole, and those that only the last object has. */
  shape: Pick<AnswerShape, "piece" | "last">;
}

/** Lets the model answer. The instance streams in any case, so that it ends when its client leaves. */
export async function answerCall(
  parts: ServingParts,
  call: OllamaCall,
  { path, body, shape: own }: Asked,
): Promise<Response> {
  const { context, model, stream, startedMs } = call;
  checkMedia(body, model);
  const shape = { ...own, model: call.name, startedMs, askedMs: performance.now() };
  type Body = ReadableStream<Uint8Array>;
  return await forward(parts, {
    context,
    model,
    path,
    body: new TextEncoder().encode(JSON.stringify({ ...body, stream: true })),
    stream,
    dialect: "ollama",
    mode: modeBeside(model, "chat"),
    load: call.load,
    keepAliveMs: call.keepAliveMs,
    errorEvent: brokenEvent,
    ...(stream
      ? {
        chunks: (upstream: Upstream, source: Body) => answerLines(upstream, source, shape),
        chunksType: LINES_TYPE,
      }
      : { gather: (upstream: Upstream, source: Body) => wholeAnswer(upstream, source, shape) }),
  });
}

/**
 * A request without anything to answer loads the model; with `keep_alive` 0 it unloads it, and one
 * that still answers goes when it has ended.
 */
export async function loadOnly(
  parts: ServingParts,
  call: OllamaCall,
  empty: JsonObject,
): Promise<Response> {
  const { model, keepAliveMs } = call;
  const { orchestrator } = parts;
  if (keepAliveMs === 0) {
    const isBusy = orchestrator.entriesOf(model.id).some((entry) => !entry.idle);
    if (isBusy) orchestrator.setKeepAlive(model.id, 0);
    else await orchestrator.unload(model.id);
  } else {
    const { load } = call;
    await orchestrator.load(model, { load, ...(keepAliveMs !== undefined && { keepAliveMs }) });
  }
  const done_reason = keepAliveMs === 0 ? "unload" : "load";
  return Response.json({ ...head({ model: call.name }), ...empty, done: true, done_reason });
}

// A model in Ollama's words: digest, details, capabilities, metadata. Pure but for the hash.

import type { ModelSettings, Sampling } from "../api_types.ts";
import type { GgufFacts } from "../models/gguf.ts";
import { TENSOR_TYPES } from "../models/gguf_types.ts";
import type { Model } from "../models/library.ts";
import type { JsonObject } from "./json_body.ts";

export interface ModelDetails {
  parent_model: string;
  format: "gguf";
  family: string;
  families: string[];
  parameter_size: string;
  quantization_level: string;
  context_length?: number;
  embedding_length?: number;
}

type OwnSettings = Pick<ModelSettings, "system_prompt" | "sampling" | "chat_template">;

const BLOB = /^sha256-([0-9a-f]{64})$/;

/**
 * The file's own SHA-256 where it is on record, or in its name as Ollama keeps it. Else a hash of
 * what tells this file from others without reading it, and of what was chosen for the model: two
 * names of one file have one digest until one of them gets settings of its own.
 */
export async function digestOf(
  model: Model,
  { settings, recorded }: { settings: OwnSettings; recorded: string | null },
): Promise<string> {
  const named = BLOB.exec(model.path.split(/[/\\]/).at(-1)!)?.[1];
  const known = recorded ?? named;
  const { system_prompt, sampling, chat_template } = settings;
  const own = [system_prompt, sampling, chat_template];
  const isChanged = system_prompt !== null || chat_template !== null ||
    Object.keys(sampling).length > 0;
  if (known !== undefined && !isChanged) return known;
  const { facts, sizeBytes, mtimeMs } = model;
  const file = [sizeBytes, Math.floor(mtimeMs), facts?.architecture, facts?.tensorCount];
  const bytes = new TextEncoder().encode(JSON.stringify([known ?? file, own]));
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function detailsOf({ facts }: Pick<Model, "facts">): ModelDetails {
  const family = facts?.architecture ?? "";
  return {
    parent_model: "",
    format: "gguf",
    family,
    families: family === "" ? [] : [family],
    parameter_size: facts === null ? "" : parameterSize(facts),
    quantization_level: facts?.quantization ?? "unknown",
    ...(facts?.contextLength && { context_length: facts.contextLength }),
    ...(facts?.embeddingLength && { embedding_length: facts.embeddingLength }),
  };
}

/** In Ollama's order. */
export function capabilitiesOf({ facts }: Pick<Model, "facts">): string[] {
  if (facts === null) return [];
  const has = new Set<string>(facts.capabilities);
  return [
    ...(has.has("chat") || has.has("completion") ? ["completion"] : []),
    ...(has.has("tools") ? ["tools"] : []),
    ...(canInsert(facts) ? ["insert"] : []),
    ...(has.has("vision") ? ["vision"] : []),
    ...(has.has("embedding") ? ["embedding"] : []),
    ...(has.has("thinking") ? ["thinking"] : []),
    ...(has.has("audio") ? ["audio"] : []),
  ];
}

/** The header's keys, without the tokenizer's long lists, which are not kept. */
export function modelInfo(facts: GgufFacts): JsonObject {
  return {
    ...Object.fromEntries(facts.metadata),
    "general.parameter_count": Math.round(parameterCount(facts)),
  };
}

/** One `name value` each, as a Modelfile has them. */
export function parametersText(sampling: Sampling): string {
  const named = Object.entries(sampling).flatMap(([name, value]) =>
    [value].flat().map((each) => [name === "max_tokens" ? "num_predict" : name, each] as const)
  );
  named.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  return named.map(([name, value]) => `${name.padEnd(30)} ${JSON.stringify(value)}`).join("\n");
}

export interface ModelfileOptions {
  from: string;
  template: string | null;
  system: string | null;
  parameters: string;
}

export function modelfileText({ from, template, system, parameters }: ModelfileOptions): string {
  const lines = [`FROM ${from}`];
  if (template !== null) lines.push(`TEMPLATE """${template}"""`);
  if (system !== null) lines.push(`SYSTEM """${system}"""`);
  for (const line of parameters.split("\n")) {
    if (line !== "") lines.push(`PARAMETER ${line.replace(/ +/, " ")}`);
  }
  return `${lines.join("\n")}\n`;
}

/** `8.0B`, from the count; what the header calls its size may be the experts' `8x7B`. */
function parameterSize(facts: GgufFacts): string {
  const count = parameterCount(facts);
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)}B`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(2)}M`;
  return `${(count / 1e3).toFixed(2)}K`;
}

// Not every header counts them: the bytes of the weights tell within a few per cent.
function parameterCount({ metadata, weightsBytes, quantization }: GgufFacts): number {
  const counted = metadata.get("general.parameter_count");
  if (typeof counted === "number" && counted > 0) return counted;
  return weightsBytes / bytesPerWeight(quantization ?? "");
}

function bytesPerWeight(quantization: string): number {
  const types = [...TENSOR_TYPES.values()].filter(({ name }) => quantization.startsWith(name));
  // `Q4_K_M` is mostly Q4_K; the longest name that fits is the one.
  const type = types.sort((a, b) => b.name.length - a.name.length)[0];
  return type === undefined ? 2 : type.blockBytes / type.blockLength;
}

function canInsert({ metadata }: GgufFacts): boolean {
  return ["fim_pre", "prefix"].some((name) => metadata.has(`tokenizer.ggml.${name}_token_id`));
}

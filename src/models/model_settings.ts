// What a user chose for one model: its defaults, and unknown JSON checked into `ModelSettings`.
// Whether a value makes sense for a placement is the orchestrator's.

import type { ModelSettings, Sampling } from "../api_types.ts";
import { AppError } from "../errors.ts";
import { isOfSchema, type Schema, wantedWords } from "../schema.ts";

/** Nothing chosen: every value is left to the rules. Read-only; spread it for a changed copy. */
export const DEFAULT_MODEL_SETTINGS: Readonly<ModelSettings> = Object.freeze({
  threads: null,
  context: null,
  gpu_layers: null,
  parallel: null,
  cache_type_k: null,
  cache_type_v: null,
  extra_args: Object.freeze([]) as unknown as string[],
  aliases: Object.freeze([]) as unknown as string[],
  keep_alive: null,
  pinned: false,
  system_prompt: null,
  sampling: Object.freeze({}),
  chat_template: null,
  lora: Object.freeze([]) as unknown as string[],
  draft_model: null,
});

const COUNT = { type: ["integer", "null"], minimum: 1 } as const;
const TEXT = { type: ["string", "null"], wanted: "text or null" } as const;
const TEXTS = { type: "array", items: { type: "string" }, wanted: "a list of texts" } as const;
const NUMBER = { type: "number" } as const;

const SAMPLING: Readonly<Record<keyof Sampling, Schema>> = {
  temperature: NUMBER,
  top_p: NUMBER,
  top_k: NUMBER,
  min_p: NUMBER,
  typical_p: NUMBER,
  repeat_penalty: NUMBER,
  repeat_last_n: NUMBER,
  presence_penalty: NUMBER,
  frequency_penalty: NUMBER,
  seed: NUMBER,
  max_tokens: NUMBER,
  stop: TEXTS,
};

const FIELDS: Readonly<Record<keyof ModelSettings, Schema>> = {
  threads: {
    ...COUNT,
    wanted: "a whole number from 1, or null",
    description: "CPU threads; null = the server's default",
  },
  context: {
    ...COUNT,
    wanted: "a whole number of tokens from 1, or null",
    description: "Tokens that one slot can hold; null = what fits",
  },
  gpu_layers: {
    type: ["integer", "null"],
    minimum: 0,
    wanted: "a whole number from 0, or null",
    description: "Layers on the GPU; null = what fits",
  },
  parallel: {
    ...COUNT,
    wanted: "a whole number from 1, or null",
    description: "Answers at the same time; null = 1",
  },
  cache_type_k: { ...TEXT, description: "Number format of the keys of the cache" },
  cache_type_v: { ...TEXT, description: "Number format of the values of the cache" },
  extra_args: {
    ...TEXTS,
    description: "More arguments of llama-server, of a list of allowed ones",
  },
  aliases: { ...TEXTS, description: "More names of the model" },
  keep_alive: {
    type: ["string", "number", "null"],
    wanted: "a duration or null",
    description: 'Idle time before it is unloaded: "10m", seconds, -1 for ever; null = the default',
  },
  pinned: { type: "boolean", description: "Never unload it by time or for another model" },
  system_prompt: { ...TEXT, description: "For requests that have none" },
  sampling: {
    type: "object",
    properties: SAMPLING,
    additionalProperties: false,
    wanted: "an object of sampling numbers",
  },
  chat_template: { ...TEXT, description: "Instead of the one in the model's file" },
  lora: { ...TEXTS, description: "Paths of adapters" },
  draft_model: { ...TEXT, description: "Path of a small model that guesses ahead" },
};

/** All of it, as a user may send it. */
export const MODEL_SETTINGS: Schema = {
  type: "object",
  properties: FIELDS,
  additionalProperties: false,
};

/**
 * Settings from JSON of a request or of the registry. A field that is left out has its default.
 *
 * @throws {AppError} `invalid_request` that names the field and what it takes; unknown fields too,
 * so that a misspelt one is not lost in silence.
 */
export function parseModelSettings(json: unknown): ModelSettings {
  if (isObject(json)) {
    const unknown = Object.keys(json).find((field) => !Object.hasOwn(FIELDS, field));
    if (unknown !== undefined) {
      throw refusal(unknown, `left out: there are ${Object.keys(FIELDS).join(", ")}`);
    }
  }
  return readModelSettings(json);
}

/** The same for what the registry holds: fields of another release are passed over. */
export function readModelSettings(json: unknown): ModelSettings {
  if (!isObject(json)) throw refusal("settings", "a JSON object");
  const settings: Record<string, unknown> = { ...DEFAULT_MODEL_SETTINGS };
  for (const [field, schema] of Object.entries(FIELDS)) {
    const value = Object.hasOwn(json, field) ? json[field] : settings[field];
    if (!isOfSchema(schema, value)) throw refusal(field, wantedWords(schema));
    settings[field] = structuredClone(value);
  }
  return settings as unknown as ModelSettings;
}

function refusal(field: string, wanted: string): AppError {
  const shown = field.slice(0, 100);
  return new AppError(
    "invalid_request",
    `Cannot use the settings: ${JSON.stringify(shown)} must be ${wanted}`,
    { param: shown, values: { field: shown } },
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

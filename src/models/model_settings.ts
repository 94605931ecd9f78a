// What a user chose for one model: its defaults, and unknown JSON checked into `ModelSettings`.
// Whether a value makes sense for a placement is the orchestrator's.

import type { ModelSettings, Sampling } from "../api_types.ts";
import { AppError } from "../errors.ts";

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

type Check = (value: unknown) => boolean;

const CHECKS: Readonly<Record<keyof ModelSettings, { test: Check; wanted: string }>> = {
  threads: { test: orNull(countFrom(1)), wanted: "a whole number from 1, or null" },
  context: { test: orNull(countFrom(1)), wanted: "a whole number of tokens from 1, or null" },
  gpu_layers: { test: orNull(countFrom(0)), wanted: "a whole number from 0, or null" },
  parallel: { test: orNull(countFrom(1)), wanted: "a whole number from 1, or null" },
  cache_type_k: { test: orNull(isText), wanted: "text or null" },
  cache_type_v: { test: orNull(isText), wanted: "text or null" },
  extra_args: { test: isTexts, wanted: "a list of texts" },
  aliases: { test: isTexts, wanted: "a list of texts" },
  keep_alive: { test: (v) => v === null || isText(v) || isNumber(v), wanted: "a duration or null" },
  pinned: { test: (value) => typeof value === "boolean", wanted: "true or false" },
  system_prompt: { test: orNull(isText), wanted: "text or null" },
  sampling: { test: isSampling, wanted: "an object of sampling numbers" },
  chat_template: { test: orNull(isText), wanted: "text or null" },
  lora: { test: isTexts, wanted: "a list of texts" },
  draft_model: { test: orNull(isText), wanted: "text or null" },
};

const SAMPLING_CHECKS: Readonly<Record<keyof Sampling, Check>> = {
  temperature: isNumber,
  top_p: isNumber,
  top_k: isNumber,
  min_p: isNumber,
  typical_p: isNumber,
  repeat_penalty: isNumber,
  repeat_last_n: isNumber,
  presence_penalty: isNumber,
  frequency_penalty: isNumber,
  seed: isNumber,
  max_tokens: isNumber,
  stop: isTexts,
};

/**
 * Settings from JSON of a request or of the registry. A field that is left out has its default.
 *
 * @throws {AppError} `invalid_request` that names the field and what it takes; unknown fields too,
 * so that a misspelt one is not lost in silence.
 */
export function parseModelSettings(json: unknown): ModelSettings {
  if (isObject(json)) {
    const unknown = Object.keys(json).find((field) => !Object.hasOwn(CHECKS, field));
    if (unknown !== undefined) {
      throw refusal(unknown, `left out: there are ${Object.keys(CHECKS).join(", ")}`);
    }
  }
  return readModelSettings(json);
}

/** The same for what the registry holds: fields of another release are passed over. */
export function readModelSettings(json: unknown): ModelSettings {
  if (!isObject(json)) throw refusal("settings", "a JSON object");
  const settings: Record<string, unknown> = { ...DEFAULT_MODEL_SETTINGS };
  for (const [field, check] of Object.entries(CHECKS)) {
    const value = Object.hasOwn(json, field) ? json[field] : settings[field];
    if (!check.test(value)) throw refusal(field, check.wanted);
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

function orNull(test: Check): Check {
  return (value) => value === null || test(value);
}

function countFrom(least: number): Check {
  return (value) => Number.isSafeInteger(value) && (value as number) >= least;
}

function isNumber(value: unknown): boolean {
  return Number.isFinite(value);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText);
}

function isSampling(value: unknown): boolean {
  return isObject(value) &&
    Object.entries(value).every(([name, entry]) =>
      Object.hasOwn(SAMPLING_CHECKS, name) && SAMPLING_CHECKS[name as keyof Sampling](entry)
    );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

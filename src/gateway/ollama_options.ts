// Ollama's `options`, in two parts: what llama-server takes with each request, and what belongs to the
// load of the model. Unknown ones are passed over, as Ollama does; a wrong type is refused.

import type { Sampling } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { LoadWishes } from "../orchestrator/load_wishes.ts";
import type { JsonObject } from "./json_body.ts";

/** Fields of llama-server's own requests. */
export type SamplingFields = Record<string, number | string[]>;

export interface RequestOptions {
  sampling: SamplingFields;
  load: LoadWishes;
}

type Kind = "integer" | "number" | "boolean" | "array";

interface Option {
  kind: Kind;
  /** llama-server's name for it. */
  field?: string;
  load?: keyof LoadWishes;
  /** Smallest and largest value that llama-server takes; others are refused here with words. */
  from?: number;
  to?: number;
}

const INT = 2 ** 31 - 1;

/** Ollama's names. Those without a field or a place in a load are known and do nothing here. */
const OPTIONS: Readonly<Record<string, Option>> = {
  num_ctx: { kind: "integer", load: "contextTokens", from: 16, to: 2 ** 24 },
  num_batch: { kind: "integer", load: "batchTokens", from: 1, to: 65_536 },
  num_gpu: { kind: "integer", load: "gpuLayers", from: -1, to: 10_000 },
  num_thread: { kind: "integer", load: "threads", from: 0, to: 1_024 },
  main_gpu: { kind: "integer" },
  use_mmap: { kind: "boolean" },
  draft_num_predict: { kind: "integer" },
  num_keep: { kind: "integer", field: "n_keep", from: -1, to: INT },
  seed: { kind: "integer", field: "seed", from: -1, to: 2 ** 32 - 1 },
  num_predict: { kind: "integer", field: "n_predict", from: -INT, to: INT },
  top_k: { kind: "integer", field: "top_k", from: 0, to: INT },
  top_p: { kind: "number", field: "top_p" },
  min_p: { kind: "number", field: "min_p" },
  typical_p: { kind: "number", field: "typical_p" },
  repeat_last_n: { kind: "integer", field: "repeat_last_n", from: -1, to: INT },
  temperature: { kind: "number", field: "temperature" },
  repeat_penalty: { kind: "number", field: "repeat_penalty" },
  presence_penalty: { kind: "number", field: "presence_penalty" },
  frequency_penalty: { kind: "number", field: "frequency_penalty" },
  stop: { kind: "array", field: "stop" },
};

/** Ollama's own, where neither the request nor the model's settings say anything. */
const DEFAULTS: Readonly<SamplingFields> = {
  temperature: 0.8,
  top_k: 40,
  top_p: 0.9,
  min_p: 0,
  typical_p: 1,
  repeat_last_n: 64,
  repeat_penalty: 1,
  n_keep: 4,
};

const MOST_STOPS = 256;
/** llama-server keeps floats: what is larger would be infinite there. */
const LARGEST_NUMBER = 1e6;

/** Errors: `invalid_request` in Ollama's own words for a wrong type. */
export function readOptions(options: JsonObject | null): RequestOptions {
  const sampling: SamplingFields = {};
  const load: LoadWishes = {};
  for (const [name, value] of Object.entries(options ?? {})) {
    if (value === null || !Object.hasOwn(OPTIONS, name)) continue;
    const option = OPTIONS[name]!;
    const checked = check(name, value, option);
    if (option.field !== undefined) sampling[option.field] = checked as number | string[];
    if (option.load !== undefined) load[option.load] = checked as number;
  }
  // Ollama's -1 and -2 are "until it ends"; llama-server ends where the context is full.
  if ((sampling.n_predict as number | undefined ?? 0) < 0) delete sampling.n_predict;
  if ((sampling.seed as number | undefined ?? 0) < 0) delete sampling.seed;
  // -1 and 0 leave it to the rules.
  if ((load.gpuLayers ?? 0) < 0) delete load.gpuLayers;
  if (load.threads === 0) delete load.threads;
  return { sampling, load };
}

/** The request's own values before the model's settings before Ollama's defaults. */
export function withDefaults(own: SamplingFields, settings: Sampling): SamplingFields {
  const { max_tokens, ...rest } = settings;
  return {
    ...DEFAULTS,
    ...rest,
    ...(max_tokens !== undefined && max_tokens >= 0 && { n_predict: max_tokens }),
    ...own,
  };
}

/** The same values the other way round, as a `create` keeps them. */
export function settingsFrom(
  { n_predict, n_keep: _n_keep, ...sampling }: SamplingFields,
): Sampling {
  return { ...sampling, ...(n_predict !== undefined && { max_tokens: n_predict as number }) };
}

function check(name: string, value: unknown, option: Option): unknown {
  const { kind, from = -LARGEST_NUMBER, to = LARGEST_NUMBER } = option;
  if (kind === "boolean") {
    if (typeof value === "boolean") return value;
  } else if (kind === "array") {
    if (Array.isArray(value) && value.every((each) => typeof each === "string")) {
      if (value.length <= MOST_STOPS) return value;
      throw refusal(name, `have at most ${MOST_STOPS} entries`);
    }
  } else if (typeof value === "number") {
    // Ollama cuts a fraction off.
    const number = kind === "integer" ? Math.trunc(value) : value;
    if (number >= from && number <= to) return number;
    throw refusal(name, `be from ${from} to ${to}`);
  }
  throw refusal(name, `be of type ${kind === "number" ? "float32" : kind}`);
}

function refusal(name: string, must: string): AppError {
  return new AppError("invalid_request", `option "${name}" must ${must}`, {
    param: "options",
    values: { option: name },
  });
}

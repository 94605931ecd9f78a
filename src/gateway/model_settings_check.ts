// Whether values of a model's settings can be meant: ranges, words, names. Their types are
// model_settings.ts's, arguments and files the host's.

import type { ModelSettings } from "../api_types.ts";
import { DURATION_FORMS, parseDuration } from "../duration.ts";
import { AppError } from "../errors.ts";
import { CACHE_TYPES } from "../host/messages.ts";
import type { Model } from "../models/library.ts";

/** llama-server aborts with a context of one token; fewer than these hold no message. */
const LEAST_CONTEXT = 16;
/** The host's own limits of a launch. */
const MOST: Readonly<Partial<Record<keyof ModelSettings, number>>> = {
  threads: 1_024,
  context: 2 ** 24,
  gpu_layers: 10_000,
  parallel: 256,
};
const MOST_ALIASES = 64;
const LONGEST_ALIAS = 255;

export interface CheckContext {
  model: Model;
  models: readonly Model[];
  /** Those of all models. */
  aliases: ReadonlyMap<string, readonly string[]>;
}

/** Errors: `invalid_request` with the field as `param`. */
export function checkModelSettings(settings: ModelSettings, context: CheckContext): void {
  for (const [field, most] of Object.entries(MOST)) {
    const value = settings[field as keyof ModelSettings];
    if (typeof value === "number" && value > most) throw refusal(field, `at most ${most}`);
  }
  if (settings.context !== null && settings.context < LEAST_CONTEXT) {
    throw refusal("context", `at least ${LEAST_CONTEXT} tokens, or null`);
  }
  for (const field of ["cache_type_k", "cache_type_v"] as const) {
    const value = settings[field];
    if (value !== null && !(CACHE_TYPES as readonly string[]).includes(value)) {
      throw refusal(field, `one of ${CACHE_TYPES.join(", ")}, or null`);
    }
  }
  if (settings.keep_alive !== null && parseDuration(settings.keep_alive) === null) {
    throw refusal("keep_alive", `${DURATION_FORMS}, or null`);
  }
  checkAliases(settings.aliases, context);
}

function checkAliases(aliases: readonly string[], { model, models, aliases: all }: CheckContext) {
  if (aliases.length > MOST_ALIASES) throw refusal("aliases", `at most ${MOST_ALIASES} names`);
  const taken = new Map<string, string>();
  for (const other of models) {
    if (other.id === model.id) continue;
    for (const name of [other.id, ...all.get(other.id) ?? []]) taken.set(fold(name), other.id);
  }
  for (const alias of aliases) {
    if (!isAlias(alias)) {
      throw refusal("aliases", "names without spaces at their ends and without control characters");
    }
    const owner = taken.get(fold(alias));
    if (owner === undefined) continue;
    throw new AppError(
      "invalid_request",
      `Cannot use the alias ${JSON.stringify(alias)}: ${JSON.stringify(owner)} answers to it`,
      { param: "aliases", values: { alias, model: owner } },
    );
  }
}

/** Compared, never made into a path: a slash is allowed, since other servers' names have one. */
function isAlias(alias: string): boolean {
  return alias !== "" && alias.length <= LONGEST_ALIAS && alias === alias.trim() &&
    alias.isWellFormed() && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(alias);
}

// As names are resolved: without regard to letter case and Ollama's `:latest`.
function fold(name: string): string {
  return name.normalize("NFC").toLowerCase().replace(/:latest$/, "");
}

function refusal(field: string, wanted: string): AppError {
  return new AppError(
    "invalid_request",
    `Cannot use the settings: ${JSON.stringify(field)} must be ${wanted}`,
    { param: field, values: { field } },
  );
}

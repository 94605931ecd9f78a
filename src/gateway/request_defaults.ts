// What a user chose for a model as far as it belongs to a request: its system prompt and its sampling,
// where the request itself says nothing of them.

import type { ModelSettings } from "../api_types.ts";
import type { Model } from "../models/library.ts";
import type { Registry } from "../models/registry.ts";
import type { JsonObject } from "./json_body.ts";
import type { Parts } from "./parts.ts";

export type RequestDefaults = Pick<ModelSettings, "system_prompt" | "sampling" | "chat_template">;

/** The parts of what answers by models: one memory of their settings for all dialects. */
export interface ServingParts extends Parts {
  settings: SettingsCache;
}

/** Read once until something changes: a request must not wait for a file. */
export class SettingsCache {
  readonly #registry: Pick<Registry, "settingsOf" | "settingsRevision">;
  readonly #known = new Map<string, ModelSettings>();
  #revision = -1;

  constructor(registry: Pick<Registry, "settingsOf" | "settingsRevision">) {
    this.#registry = registry;
  }

  of({ id }: Pick<Model, "id">): RequestDefaults {
    if (this.#revision !== this.#registry.settingsRevision) this.#known.clear();
    this.#revision = this.#registry.settingsRevision;
    let settings = this.#known.get(id);
    if (settings === undefined) this.#known.set(id, settings = this.#registry.settingsOf(id));
    return settings;
  }
}

/** Where each form of a request has its system prompt; null = it has none. */
const SYSTEM_FIELDS: Readonly<Record<string, "messages" | "instructions" | "system" | null>> = {
  "/v1/chat/completions": "messages",
  "/v1/chat/completions/input_tokens": "messages",
  "/v1/completions": null,
  "/v1/responses": "instructions",
  "/v1/responses/input_tokens": "instructions",
  "/v1/messages": "system",
  "/v1/messages/count_tokens": "system",
};

/** Other names of a field: a request that has one of them has chosen. */
const SAME: Readonly<Record<string, readonly string[]>> = {
  max_tokens: ["max_completion_tokens", "max_output_tokens", "n_predict"],
  stop: ["stop_sequences"],
};

/**
 * The body with the user's defaults for what it leaves open; the very same object where nothing is
 * added, so that its bytes can go through untouched. `path` is that of the instance.
 */
export function withModelDefaults(
  path: string,
  body: JsonObject,
  { system_prompt: system, sampling }: RequestDefaults,
): JsonObject {
  const field = SYSTEM_FIELDS[path];
  if (field === undefined) return body;
  const added: JsonObject = {};
  for (const [name, value] of Object.entries(sampling)) {
    // Below zero it means no limit, as Ollama's users write it.
    if (name === "max_tokens" && Number(value) < 0) continue;
    const names = [name, ...SAME[name] ?? []];
    if (names.every((each) => isOpen(body[each]))) {
      added[name === "stop" && field === "system" ? "stop_sequences" : name] = value;
    }
  }
  if (system !== null && field === "messages") {
    const { messages } = body;
    if (Array.isArray(messages) && !messages.some(isSystem)) {
      added.messages = [{ role: "system", content: system }, ...messages];
    }
  } else if (system !== null && field !== null && isOpen(body[field])) {
    added[field] = system;
  }
  return Object.keys(added).length === 0 ? body : { ...body, ...added };
}

function isOpen(value: unknown): boolean {
  return value === undefined || value === null;
}

function isSystem(message: unknown): boolean {
  if (typeof message !== "object" || message === null) return false;
  const { role } = message as { role?: unknown };
  return role === "system" || role === "developer";
}

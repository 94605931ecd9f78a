// What a user chose for a model as far as it belongs to a request: its system prompt and its sampling.

import type { ModelSettings } from "../api_types.ts";
import type { Model } from "../models/library.ts";
import type { Registry } from "../models/registry.ts";

export type RequestDefaults = Pick<ModelSettings, "system_prompt" | "sampling" | "chat_template">;

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

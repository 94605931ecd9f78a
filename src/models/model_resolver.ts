// From the name in a request to the model, quickly: names that were understood before are kept. The
// rules are model_names.ts.

import type { Model } from "./model.ts";
import { resolveModelName } from "./model_names.ts";

/** Names come from outside, so not without end. */
const MOST_KEPT = 1_000;

export interface Aliases {
  /** By model. */
  aliases(): ReadonlyMap<string, readonly string[]>;
  /** Another number means other aliases. */
  readonly settingsRevision: number;
}

export class ModelResolver {
  readonly #models: ReadonlyMap<string, Model>;
  readonly #settings: Aliases;
  readonly #kept = new Map<string, Model>();
  #revision = -1;

  constructor(models: ReadonlyMap<string, Model>, settings: Aliases) {
    this.#models = models;
    this.#settings = settings;
  }

  /** To be called whenever a model comes, goes or changes. */
  forget(): void {
    this.#kept.clear();
  }

  /** @throws {AppError} `model_not_found`, `model_required`. */
  resolve(requested: string | null | undefined): Model {
    const name = requested ?? "";
    const exact = this.#models.get(name);
    if (exact !== undefined) return exact;
    if (this.#revision !== this.#settings.settingsRevision) this.#kept.clear();
    this.#revision = this.#settings.settingsRevision;
    const kept = this.#kept.get(name);
    if (kept !== undefined) return kept;
    const { model } = resolveModelName(name, this.#candidates());
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
    this.#kept.set(name, model);
    return model;
  }

  #candidates() {
    const aliases = this.#settings.aliases();
    return [...this.#models.values()].map((model) => ({
      id: model.id,
      aliases: aliases.get(model.id) ?? [],
      builtin: model.builtin,
      repo: model.repo,
      quantization: model.facts?.quantization ?? null,
      model,
    }));
  }
}

// The metadata keys that begin with a model's architecture, read as counts and lists. What they
// mean is the callers'.

import type { GgufFacts } from "../models/gguf.ts";

export class ModelKeys {
  readonly #facts: Pick<GgufFacts, "architecture" | "metadata">;

  constructor(facts: Pick<GgufFacts, "architecture" | "metadata">) {
    this.#facts = facts;
  }

  /** Null where it is missing, or no whole number. */
  count(key: string): number | null {
    const value = this.#get(key);
    return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
  }

  /** Null where it is missing, or no list. */
  list(key: string): readonly number[] | null {
    const value = this.#get(key);
    return typeof value === "object" ? value : null;
  }

  #get(key: string) {
    return this.#facts.metadata.get(`${this.#facts.architecture}.${key}`);
  }
}

// Facts of a catalogue's file: its header's where one was read, else what its entry says.

import type { CatalogueEntry, CatalogueFile } from "./catalogue_entry.ts";
import type { GgufFacts } from "./gguf.ts";
import { factsFromShape } from "./shape_facts.ts";

export class CatalogueFacts {
  /** The same facts each time: whoever makes fits of them remembers those. */
  readonly #known = new WeakMap<CatalogueFile, GgufFacts>();

  /** Null where nothing is known but the size. */
  of(entry: CatalogueEntry, file: CatalogueFile): GgufFacts | null {
    const { name, contextLength, shape, roles } = entry;
    if (file.facts !== null || shape === null) return file.facts;
    const known = this.#known.get(file);
    if (known !== undefined) return known;
    const kind = roles.find((role) => role === "embedding" || role === "rerank") ?? "chat";
    const { sizeBytes, quantization } = file;
    const facts = factsFromShape(shape, { name, kind, contextLength, sizeBytes, quantization });
    this.#known.set(file, facts);
    return facts;
  }
}

// Which models of the Hub lie on this disk already, for the lists that show it.

import { basename } from "node:path";
import type { Model } from "../models/model.ts";

export type InstalledModel = Pick<Model, "id" | "path" | "repo" | "builtin" | "isMissing">;

/** By ID, or as this file of this repository under another ID. */
export class InstalledModels {
  readonly #ids = new Set<string>();
  readonly #files = new Set<string>();

  constructor(models: readonly InstalledModel[]) {
    for (const { id, path, repo, builtin, isMissing } of models) {
      if (builtin || isMissing) continue;
      this.#ids.add(id);
      if (repo !== null) this.#files.add(`${repo}/${basename(path)}`);
    }
  }

  has({ repo, file, id }: { repo: string; file: string; id: string }): boolean {
    return this.#ids.has(id) || this.#files.has(`${repo}/${basename(file)}`);
  }
}

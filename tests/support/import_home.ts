// A home, places of other programs beside it, and the models that are found there.

import { join } from "node:path";

import { Imports, type ImportsOptions } from "../../src/models/import.ts";
import type { ImportRoot } from "../../src/host/messages.ts";
import { ModelHome } from "./model_home.ts";

export class ImportHome implements AsyncDisposable {
  readonly models = new ModelHome();
  roots: ImportRoot[] = [];
  #imports: Imports | null = null;

  get library() {
    return this.models.library;
  }

  get imports(): Imports {
    if (this.#imports === null) throw new Error("open() comes first");
    return this.#imports;
  }

  /** The folder of a program, below the temporary one; not made. */
  place(program: string, name = program): string {
    const path = join(this.models.root, name);
    this.roots.push({ program, path });
    return path;
  }

  async open(options: Partial<ImportsOptions> = {}): Promise<Imports> {
    const library = await this.models.openWhole({ importRoots: this.roots });
    this.#imports = new Imports({
      roots: this.roots,
      library,
      registry: this.models.registry,
      log: this.models.logged.log,
      ...options,
    });
    return this.#imports;
  }

  /** `program name -> id`, with a star where it is imported. */
  async listed(): Promise<string[]> {
    const { candidates } = await this.imports.list();
    return candidates.map(({ found, id, imported }) =>
      `${found.program} ${found.name} -> ${id}${imported ? " *" : ""}`
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.models[Symbol.asyncDispose]();
  }
}

// The registry and the library in a Worker, as the server has them: it answers what it could do.

import { join } from "node:path";

import { Library } from "../../src/models/library.ts";
import { Registry } from "../../src/models/registry.ts";
import { logEntries } from "./log_entries.ts";

export interface ScopeAnswer {
  recovered: boolean;
  ids: string[];
  appeared: string[];
  refused: string[];
  afterDelete: string[];
}

async function work(home: string, folder: string): Promise<ScopeAnswer> {
  const { log, entries } = logEntries();
  await Deno.writeTextFile(join(home, "registry.db"), "damaged");
  using registry = Registry.open(join(home, "registry.db"), { log });
  await using library = await Library.open({
    home,
    folders: [folder],
    builtin: null,
    registry,
    log,
    gatherMs: 20,
  });
  await library.upToDate();
  const ids = library.list().map((model) => model.id);
  const appeared = new Promise<string>((resolve) =>
    library.onChange((change) => change.added && resolve(change.added.id))
  );
  const bytes = await Deno.readFile(join(folder, "extra.gguf"));
  await Deno.writeFile(join(home, "later.part"), bytes);
  await Deno.rename(join(home, "later.part"), join(home, "later.gguf"));
  const added = await appeared;
  await library.deleteModel("own");
  return {
    recovered: registry.recovered !== null,
    ids,
    appeared: [added],
    refused: entries.filter((entry) => /link/.test(entry.message))
      .map((entry) => String(entry.fields["path"])),
    afterDelete: library.list().map((model) => model.id),
  };
}

self.addEventListener("message", async (event: MessageEvent<{ home: string; folder: string }>) => {
  self.postMessage(await work(event.data.home, event.data.folder));
});

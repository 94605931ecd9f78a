// `zombiecoder import`: models that other programs keep on this computer, used where they lie.

import { basename, dirname, join, resolve } from "node:path";
import type { ImportList, ImportRow } from "../api_types.ts";
import { sizeText } from "./amounts.ts";
import { badgeCell } from "./badge_words.ts";
import type { CommandContext } from "./command_context.ts";
import { connect } from "./connection.ts";
import { jsonText, plainLine } from "./plain_text.ts";
import type { ServerClient } from "./server_client.ts";
import { formatTable } from "./table.ts";

export async function importModels(context: CommandContext): Promise<number> {
  const { words, switches } = context.loaded;
  using client = await connect(context);
  if (words.length === 0 && !switches.has("all")) {
    return print(context, await client.json<ImportList>("/admin/import"));
  }
  return await register(context, client);
}

/** What one request takes. */
const MOST_PATHS = 100;

async function register(context: CommandContext, client: ServerClient): Promise<number> {
  const { terminal, loaded } = context;
  const paths = await pathsOf(context, client);
  const rows: ImportRow[] = [];
  for (let start = 0; start < paths.length; start += MOST_PATHS) {
    const body = { paths: paths.slice(start, start + MOST_PATHS) };
    rows.push(...await client.json<ImportRow[]>("/admin/import", { method: "POST", body }));
  }
  if (loaded.switches.has("json")) terminal.out(`${jsonText(rows, 2)}\n`);
  else if (rows.length === 0) terminal.err("Nothing new to import\n");
  else {for (const { id, path } of rows) {
      terminal.out(`Imported ${plainLine(id)} from ${plainLine(path)}\n`);
    }}
  return 0;
}

/** A word is a path, or the name under which `import` lists a model. */
async function pathsOf({ loaded, cwd }: CommandContext, client: ServerClient): Promise<string[]> {
  const { models } = await client.json<ImportList>("/admin/import");
  const usable = models.filter(({ imported, error }) => !imported && error === null);
  if (loaded.switches.has("all")) return usable.map(({ path }) => path);
  return loaded.words.map((word) => {
    const path = inRealFolder(resolve(cwd, word));
    const listed = models.find((row) => row.path === path) ??
      models.find(({ name, id }) => name === word || id === word);
    return listed?.path ?? path;
  });
}

/** As the server names what is there, however it was reached here; the file itself may be a link. */
function inRealFolder(path: string): string {
  try {
    return join(Deno.realPathSync(dirname(path)), basename(path));
  } catch {
    // Not a path, or not ours to look at: the server says what is wrong with it.
    return path;
  }
}

function print({ terminal, loaded }: CommandContext, { models, places }: ImportList): number {
  if (loaded.switches.has("json")) {
    terminal.out(`${jsonText({ models, places }, 2)}\n`);
    return 0;
  }
  if (models.length === 0) {
    terminal.err("No model of another program was found. Looked into:\n");
    for (const { path } of places) terminal.err(`  ${plainLine(path)}\n`);
    return 0;
  }
  terminal.out(formatTable(
    [
      { title: "PROGRAM" },
      { title: "NAME", shrinks: true },
      { title: "SIZE", align: "right" },
      { title: "FIT" },
      { title: "HERE" },
    ],
    {
      rows: models.map((row) => [
        PROGRAMS[row.program] ?? row.program,
        row.name,
        sizeText(row.size_bytes),
        row.error === null ? badgeCell(row.badge) : { text: "Cannot be used", paint: "red" },
        row.imported ? { text: "imported", paint: "green" } : "",
      ]),
      width: terminal.hasOutput ? terminal.columns() : null,
      paint: terminal.paint,
    },
  ));
  for (const { name, error } of models) {
    if (error !== null) terminal.err(`${plainLine(name)}: ${plainLine(error.message)}\n`);
  }
  if (models.some(({ imported, error }) => !imported && error === null)) {
    terminal.err("zombiecoder import NAME takes one over in place, --all all that can be used\n");
  }
  return 0;
}

const PROGRAMS: Readonly<Record<string, string>> = {
  ollama: "Ollama",
  lm_studio: "LM Studio",
  huggingface: "Hub cache",
  llama_cpp: "llama.cpp",
  jan: "Jan",
  gpt4all: "GPT4All",
  drive: "Drive",
  folder: "Folder",
};

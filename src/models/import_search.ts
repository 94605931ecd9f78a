// Looks through one place of another program, by that program's own layout, within limits.

import { AppError } from "../errors.ts";
import type { ImportRoot } from "../host/messages.ts";
import { BoundedWalk } from "./bounded_walk.ts";
import type { FoundImport } from "./found_import.ts";
import { findHubModels, findModelFiles } from "./import_layouts.ts";
import { findOllamaModels } from "./import_ollama.ts";

export interface SearchLimits {
  /** Of one place; 20,000. */
  entries?: number;
  /** For one place; 5,000. */
  timeMs?: number;
}

export interface SearchedPlace {
  root: ImportRoot;
  found: FoundImport[];
  /** What kept us from seeing all of it. */
  error: AppError | null;
}

/** Never throws: what cannot be read is told as `error`. */
export async function searchPlace(
  root: ImportRoot,
  limits: SearchLimits = {},
): Promise<SearchedPlace> {
  const walk = new BoundedWalk({ root: root.path, ...limits });
  const found = await walk.isStanding() ? await findModels(walk, root.program) : [];
  return { root, found, error: walk.error ?? linkError(walk) };
}

async function findModels(walk: BoundedWalk, program: string): Promise<FoundImport[]> {
  switch (program) {
    case "ollama":
      return await findOllamaModels(walk);
    case "huggingface":
      return await findHubModels(walk, program);
    case "llama_cpp":
      // Since 2026 it keeps its downloads as the Hub's own programs do.
      return [...await findModelFiles(walk, program), ...await findHubModels(walk, program)];
    case "lm_studio":
    case "jan":
    case "gpt4all":
      return await findModelFiles(walk, program);
    default:
      return await findModelFiles(walk, "drive");
  }
}

function linkError({ root, refusedLinks }: BoundedWalk): AppError | null {
  if (refusedLinks === 0) return null;
  const links = refusedLinks === 1 ? "a link to a model leads" : `${refusedLinks} links lead`;
  return new AppError(
    "import_refused",
    `Cannot follow every link in ${
      JSON.stringify(root)
    }: ${links} out of it. Start with --models-dir and the folder that the files really lie in`,
    { values: { path: root, links: refusedLinks, reason: "link" } },
  );
}

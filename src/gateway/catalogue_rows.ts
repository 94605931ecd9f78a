// The catalogue as this computer sees it (pure): each quantization with its fit, the one to take, and
// which models come first.

import { basename } from "node:path";
import type { Badge, BadgeLevel, CatalogueRow, Fit, HubModel } from "../api_types.ts";
import { ROLES } from "../models/catalogue_entry.ts";
import type { CatalogueEntry, CatalogueFile } from "../models/catalogue.ts";
import type { GgufFacts } from "../models/gguf.ts";
import { modelIdOf, splitNameOf } from "../models/model_names.ts";
import { bestForThisComputer } from "../orchestrator/badge.ts";

export interface CatalogueRowOptions {
  /** Null where this computer is not known yet. */
  fitOf(facts: GgufFacts, options: { mmprojBytes: number }): { fit: Fit; badge: Badge } | null;
  isInstalled(model: { repo: string; file: string; id: string }): boolean;
  /** Null where nothing is known but the size. */
  factsOf(entry: CatalogueEntry, file: CatalogueFile): GgufFacts | null;
}

/** Best for this computer first, then what is recommended, compatible, not recommended. */
export function catalogueRows(
  entries: readonly CatalogueEntry[],
  options: CatalogueRowOptions,
): CatalogueRow[] {
  const rows = entries.map((entry) => rowOf(entry, options));
  const best = new Set<CatalogueRow>();
  for (const role of ROLES) {
    const ofRole = rows.filter(({ roles }) => roles.includes(role));
    const found = bestForThisComputer(ofRole.map((row) => ({ ...shownOf(row), row })));
    if (found !== null) best.add(found.row);
  }
  for (const row of best) row.best = true;
  return [...best, ...rows.filter((row) => !row.best).sort(byUse)];
}

function rowOf(entry: CatalogueEntry, options: CatalogueRowOptions): CatalogueRow {
  const files = entry.files.map((file) => modelOf(entry, { file, options }));
  const choice = choiceOf(files);
  const shown = files[choice ?? 0];
  return {
    id: entry.id,
    name: entry.name,
    roles: entry.roles,
    parameters: entry.parameters,
    active_parameters: entry.activeParameters,
    context_length: entry.contextLength,
    languages: entry.languages,
    license: entry.license,
    gated: entry.gated,
    repo: entry.repo,
    files,
    choice,
    fit: shown?.fit ?? null,
    badge: shown?.badge ?? null,
    best: false,
    source: entry.builtin ? "builtin" : "user",
    installed: files.some(({ installed }) => installed),
  };
}

function modelOf(
  entry: CatalogueEntry,
  { file, options }: { file: CatalogueFile; options: CatalogueRowOptions },
): HubModel {
  const name = basename(file.file);
  // The entry was read by the same rule, so the name is one.
  const id = modelIdOf(name) ?? entry.id;
  const mmprojBytes = file.projector?.sizeBytes ?? 0;
  const facts = options.factsOf(entry, file);
  const found = facts === null ? null : options.fitOf(facts, { mmprojBytes });
  return {
    file: file.file,
    id,
    quantization: file.quantization,
    size_bytes: file.sizeBytes + mmprojBytes,
    parts: splitNameOf(name)?.total ?? 1,
    projector: file.projector?.file ?? null,
    installed: options.isInstalled({ repo: entry.repo, file: name, id }),
    fit: found?.fit ?? null,
    badge: found?.badge ?? null,
  };
}

/** The best quantization that fits: of those with the best level the largest. */
function choiceOf(files: readonly HubModel[]): number | null {
  for (const level of ["recommended", "compatible"] as const) {
    const last = files.findLastIndex(({ badge }) => badge?.level === level);
    if (last !== -1) return last;
  }
  return null;
}

function shownOf({ files, choice, badge }: CatalogueRow) {
  return { size_bytes: files[choice ?? 0]?.size_bytes ?? 0, badge };
}

const RANKS: Readonly<Record<BadgeLevel, number>> = {
  recommended: 0,
  compatible: 1,
  not_recommended: 3,
};
const RANK_OF_UNKNOWN = 2;

function byUse(a: CatalogueRow, b: CatalogueRow): number {
  const rank = ({ badge }: CatalogueRow) => badge === null ? RANK_OF_UNKNOWN : RANKS[badge.level];
  const bySize = shownOf(b).size_bytes - shownOf(a).size_bytes;
  return rank(a) - rank(b) ||
    // Of those that do not fit, the nearest first.
    (rank(a) === RANKS.not_recommended ? -bySize : bySize) || (a.id < b.id ? -1 : 1);
}

// The llama.cpp builds on this computer as GET /admin/runtimes lists them, with what a change needs to
// know of each.

import { basename, dirname, join } from "node:path";
import type { InstalledRuntime } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { BuildGuard } from "./build_check.ts";
import { type Candidate, candidates, type FindOptions } from "./find_runtime.ts";
import { type InstalledBuild, listRecords } from "./runtime_home.ts";
import type { RuntimeKeeper } from "./runtime_keeper.ts";
import { refusalOf, rememberedProbe } from "./runtime_probe.ts";
import { SERVER_FILE } from "./server_file.ts";

export interface RowsOptions extends Pick<FindOptions, "bundledFolder" | "runtimeHome" | "path"> {
  guard: BuildGuard;
  keeper: Pick<RuntimeKeeper, "current">;
  /** The programs of all processes that run now. */
  running(): readonly string[];
}

/** `path` is the real one. */
export type RuntimeRow = InstalledRuntime & Candidate & { isWhole: boolean };

type KnownBuild = InstalledBuild & { isWhole: boolean };

/** Nothing is run for it: what a build can do is what it said when it was asked last. */
export async function runtimeRows(options: RowsOptions): Promise<RuntimeRow[]> {
  const rows = new Map<string, RuntimeRow>();
  for (const row of await candidateRows(options)) {
    const before = rows.get(row.name);
    if (before === undefined || rank(row) < rank(before)) rows.set(row.name, row);
  }
  return [...rows.values()];
}

/** All of one name, as there may be several on PATH, the best first. */
export async function rowsNamed(name: string, options: RowsOptions): Promise<RuntimeRow[]> {
  const rows = (await candidateRows(options)).filter((row) => row.name === name);
  return rows.sort((a, b) => rank(a) - rank(b));
}

/** The one in use, then what is not known to be unusable. */
function rank({ active, refusal }: RuntimeRow): number {
  return active ? 0 : refusal === null ? 1 : 2;
}

async function candidateRows(options: RowsOptions): Promise<RuntimeRow[]> {
  const { keeper, running } = options;
  const records = await listRecords(options.runtimeHome);
  const broken = records.filter(({ isWhole }) => !isWhole);
  const all = [
    ...await candidates(options),
    ...broken.map(({ folder }) => ({
      name: basename(folder),
      source: "installed" as const,
      path: join(folder, SERVER_FILE),
    })),
  ];
  const rows: RuntimeRow[] = [];
  const used = new Set([...running(), ...(keeper.current === null ? [] : [keeper.current.path])]
    .map((path) => dirname(path)));
  for (const candidate of all) {
    const row = await rowOf(candidate, { records, options });
    if (row === null) continue;
    row.removable = row.source === "installed" && !used.has(dirname(row.path));
    rows.push(row);
  }
  return rows;
}

async function rowOf(
  candidate: Candidate,
  { records, options }: { records: readonly KnownBuild[]; options: RowsOptions },
): Promise<RuntimeRow | null> {
  const { keeper, runtimeHome, guard } = options;
  const { record = null, isWhole = true } =
    records.find(({ folder }) => folder === dirname(candidate.path)) ?? {};
  let { path } = candidate;
  let refusal: string | null = null;
  if (candidate.source === "installed" && !isWhole) {
    path = join(await Deno.realPath(dirname(path)), SERVER_FILE);
    refusal = "some of its files are missing or cut: remove it and install it again";
  } else {
    try {
      path = await Deno.realPath(path);
      if (!(await Deno.stat(path)).isFile) return null;
      await guard.check({ source: candidate.source, path });
    } catch (error) {
      if (!(error instanceof AppError)) return null;
      refusal = error.message;
    }
  }
  const probe = await rememberedProbe(path, runtimeHome);
  const known = probe ?? record;
  if (probe !== null) refusal ??= refusalOf(probe);
  return {
    name: candidate.name,
    source: candidate.source,
    path,
    isWhole,
    build: known?.build ?? null,
    version: known?.version ?? null,
    verified: record?.verified ?? null,
    devices: [...probe?.devices ?? []],
    size_bytes: record === null
      ? null
      : Object.values(record.files).reduce((sum, bytes) => sum + bytes, 0),
    installed_at: record?.installedAt ?? null,
    active: keeper.current?.path === path,
    refusal,
    removable: false,
  };
}

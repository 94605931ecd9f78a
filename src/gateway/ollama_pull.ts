// POST /api/pull: a name of the catalogue, or of a repository on the Hub, becomes one of our downloads,
// told in Ollama's lines. Fetching, checking and going on after a stop are downloads.ts's.

import { basename } from "node:path";
import { type Context, Hono } from "@hono/hono";
import { onAborted } from "../abort.ts";
import type { DownloadRow } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { Model } from "../models/library.ts";
import type { RegistryDownloads } from "../models/registry_downloads.ts";
import { abortableDelay } from "../within.ts";
import { changeSettings } from "./admin_model_settings.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { OLLAMA_PULL_BODY } from "./ollama_bodies.ts";
import { flagOf, readFields, requiredName } from "./ollama_fields.ts";
import { modelNamed } from "./ollama_manage.ts";
import { plainName } from "./ollama_names.ts";
import { type Progress, progressAnswer } from "./ollama_progress.ts";
import { findOnHub, findWanted, type Wanted } from "./ollama_wanted.ts";
import type { Parts } from "./parts.ts";

/** As often as a terminal can show it. */
const LOOK_MS = 200;

export function ollamaPullRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.post("/api/pull", (context) => pull(parts, context));
  return routes;
}

async function pull(parts: Parts, context: Context<GatewayEnv>): Promise<Response> {
  const fields = await readFields(parts, context, OLLAMA_PULL_BODY);
  const name = requiredName(fields, "model", "name");
  const stream = flagOf(fields, "stream") ?? true;
  await parts.library.upToDate();
  const wanted = modelNamed(parts, name) === null ? await findWanted(parts, name) : null;
  const left = new AbortController();
  // While nothing is streamed; a body as small as these lets Deno tell of it (decision 1).
  if (!stream) onAborted(context.req.raw.signal, () => left.abort());
  const lines = pulling(parts, { name, wanted, signal: left.signal });
  return await progressAnswer(lines, { stream, log: parts.log, onLeft: () => left.abort() });
}

interface Pull {
  name: string;
  /** Null = it is installed. */
  wanted: Wanted | null;
  /** Fires when the client leaves. */
  signal: AbortSignal;
}

async function* pulling(parts: Parts, pull: Pull): AsyncGenerator<Progress> {
  const { name, wanted, signal } = pull;
  yield { status: "pulling manifest" };
  if (wanted !== null) {
    const file = wanted.file ?? await findOnHub(parts, { wanted, signal });
    const installed = installedFile(parts, { ...wanted, file });
    const model = installed ?? (yield* downloading(parts, { ...wanted, file, signal }));
    await nameIt(parts, { name, model });
    if (installed === null) {
      yield { status: "verifying sha256 digest" };
      yield { status: "writing manifest" };
      yield { status: "removing unused layers" };
    }
  }
  yield { status: "success" };
}

/** Under a name that says less than which file it is. */
function installedFile(
  { library }: Parts,
  { repo, file }: Wanted & { file: string },
): string | null {
  const name = file.split("/").at(-1)!;
  const found = library.list().find((model) =>
    model.repo?.toLowerCase() === repo.toLowerCase() && basename(model.path) === name
  );
  return found?.id ?? null;
}

async function* downloading(
  parts: Parts,
  wanted: Wanted & { file: string; signal: AbortSignal },
): AsyncGenerator<Progress, string | null> {
  const { row, isOurs } = begin(parts, wanted);
  try {
    return yield* followed(parts, { id: row.id, signal: wanted.signal });
  } finally {
    // Its own client pauses it by leaving; the next pull of this name goes on.
    if (wanted.signal.aborted && isOurs) await parts.downloads.pause(row.id);
  }
}

/** One that is there already is joined; one that stood still goes on. */
function begin(
  { downloads }: Parts,
  { repo, revision, file }: Wanted & { file: string },
): { row: DownloadRow; isOurs: boolean } {
  const known = downloads.list().find((row) =>
    row.repo.toLowerCase() === repo.toLowerCase() && row.file === file && row.state !== "done"
  );
  if (known === undefined) return { row: downloads.add({ repo, revision, file }), isOurs: true };
  const stands = known.state === "paused" || known.state === "failed";
  return { row: stands ? downloads.resume(known.id) : known, isOurs: stands };
}

/** Lines for each of its files until it is done; answers the name that the model has. */
async function* followed(
  parts: Parts,
  { id, signal }: { id: string; signal: AbortSignal },
): AsyncGenerator<Progress, string | null> {
  let said = "";
  for (;;) {
    const row = parts.downloads.get(id);
    const digests = digestsOf(parts.registry.downloads, id);
    const lines = row.files.map((file, number) => fileLine(file, digests.get(number) ?? null));
    for (const line of lines) if (line.completed !== 0) yield line;
    if (row.state === "done") return row.model;
    if (row.state === "failed" || row.state === "paused") throw stopped(row);
    const reason = row.state === "waiting" ? row.error?.message ?? "" : "";
    if (reason !== "" && reason !== said) yield { status: `waiting: ${reason}` };
    said = reason;
    await abortableDelay(LOOK_MS, signal);
    if (signal.aborted) throw new AppError("cancelled", "The client left");
  }
}

function fileLine(file: DownloadRow["files"][number], sha256: string | null): Progress {
  const { path, bytes_total: total, bytes_done: completed } = file;
  if (sha256 === null) return { status: `pulling ${path}`, total, completed };
  return { status: `pulling ${sha256.slice(0, 12)}`, digest: `sha256:${sha256}`, total, completed };
}

function digestsOf(registry: RegistryDownloads, id: string): Map<number, string | null> {
  const files = registry.files().filter(({ downloadId }) => downloadId === id);
  return new Map(files.map(({ number, sha256 }) => [number, sha256]));
}

function stopped(row: DownloadRow): AppError {
  if (row.error !== null) {
    return new AppError("download_failed", row.error.message, { values: { download: row.id } });
  }
  return new AppError(
    "download_failed",
    `Cannot go on with ${
      JSON.stringify(row.file)
    }: the download was paused. Pull it again to go on`,
    { values: { download: row.id } },
  );
}

// What was pulled must answer to the name that it was pulled by.
async function nameIt(
  parts: Parts,
  { name, model: id }: { name: string; model: string | null },
): Promise<void> {
  await parts.library.upToDate();
  const model: Model | undefined = id === null ? undefined : parts.library.get(id);
  if (model === undefined || modelNamed(parts, name) !== null) return;
  const { aliases } = parts.registry.settingsOf(model.id);
  await changeSettings(parts, { model, change: { aliases: [...aliases, plainName(name)] } });
}

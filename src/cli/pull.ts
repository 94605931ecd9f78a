// `zombiecoder pull NAME`: begins a download and shows how far it is. It belongs to the server: leaving
// does not stop it.

import type { DownloadList, DownloadRow } from "../api_types.ts";
import { AppError } from "../errors.ts";
import { sizeText } from "./amounts.ts";
import type { CommandContext } from "./command_context.ts";
import { confirm } from "./confirm.ts";
import { connect, connectRunning } from "./connection.ts";
import { followDownload } from "./download_view.ts";
import { jsonText, plainLine } from "./plain_text.ts";
import { progressText } from "./progress_bar.ts";
import { findTarget, type PullTarget } from "./pull_target.ts";
import type { ServerClient } from "./server_client.ts";
import { StatusLine } from "./status_line.ts";

export async function pullModel(context: CommandContext): Promise<number> {
  const { words, switches } = context.loaded;
  if (words.length === 0) return await listDownloads(context);
  if (switches.has("cancel")) return await cancelDownload(context);
  using client = await connect(context);
  const target = await targetOf(context, client);
  const row = await begin(context, { client, target });
  if (row === null) return 0;
  return await followDownload(context, { client, row });
}

async function targetOf(context: CommandContext, client: ServerClient): Promise<PullTarget> {
  using status = new StatusLine(context.terminal);
  status.show("Looking for it");
  return await findTarget(client, context.loaded.words);
}

/** Null where there is nothing to follow: it is here, or the answer was no. */
async function begin(
  context: CommandContext,
  { client, target }: { client: ServerClient; target: PullTarget },
): Promise<DownloadRow | null> {
  const { repo, model } = target;
  const { terminal, loaded } = context;
  if (model.installed) {
    if (loaded.switches.has("json")) {
      terminal.out(`${jsonText({ model: model.id, state: "done" })}\n`);
    } else terminal.out(`${plainLine(model.id)} is installed already\n`);
    return null;
  }
  const { badge } = model;
  if (badge?.level === "not_recommended") {
    terminal.err(`${plainLine(model.id)} is not recommended here. ${plainLine(badge.reason)}\n`);
    const question = `Download its ${sizeText(model.size_bytes)} nevertheless?`;
    if (!await confirm(context, question)) return null;
  }
  try {
    return await client.json<DownloadRow>("/admin/downloads", {
      method: "POST",
      body: { repo, file: model.file },
    });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "download_exists") throw error;
    return await resume(client, { error, target });
  }
}

/** Joins the one that there is; one that stands goes on. */
async function resume(
  client: ServerClient,
  { error, target }: { error: AppError; target: PullTarget },
): Promise<DownloadRow> {
  const { downloads } = await client.json<DownloadList>("/admin/downloads");
  const row = downloads.find(({ repo, file }) =>
    repo.toLowerCase() === target.repo.toLowerCase() && file === target.model.file
  );
  if (row === undefined || row.state === "done") throw error;
  if (row.state !== "paused" && row.state !== "failed") return row;
  return await client.json<DownloadRow>(`/admin/downloads/${encodeURIComponent(row.id)}/resume`, {
    method: "POST",
  });
}

async function listDownloads(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  if (loaded.switches.has("cancel")) {
    throw new AppError(
      "bad_flag",
      "Cannot tell what to cancel: write zombiecoder pull NAME --cancel",
    );
  }
  using client = await connectRunning(context);
  const downloads = client === null
    ? []
    : (await client.json<DownloadList>("/admin/downloads")).downloads;
  if (loaded.switches.has("json")) {
    for (const row of downloads) {
      terminal.out(`${jsonText(row)}\n`);
    }
  } else for (const row of downloads) terminal.out(`${plainLine(progressText(row))}\n`);
  if (client === null) {
    terminal.err("The server is not running: downloads go on when it does\n");
  } else if (downloads.length === 0) terminal.err("No downloads\n");
  return 0;
}

/** By the name that began it, the model's name, the file, or the ID; the Hub need not be asked. */
async function cancelDownload(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  using client = await connect(context);
  const { downloads } = await client.json<DownloadList>("/admin/downloads");
  const open = downloads.filter(({ state }) => state !== "done");
  const row = open.find((each) => isNamed(each, loaded.words)) ??
    await byTarget(context, { client, open });
  if (row === undefined) {
    throw new AppError(
      "download_not_found",
      `Cannot cancel ${JSON.stringify(loaded.words.join(" "))}: no such download. ` +
        "zombiecoder pull lists them",
    );
  }
  await client.json(`/admin/downloads/${encodeURIComponent(row.id)}`, { method: "DELETE" });
  const json = loaded.switches.has("json");
  terminal.out(
    json
      ? `${jsonText({ id: row.id, cancelled: true })}\n`
      : `Cancelled ${plainLine(row.model ?? row.file)}\n`,
  );
  return 0;
}

function isNamed({ id, model, repo, file }: DownloadRow, [name, path]: readonly string[]): boolean {
  const folded = name!.toLowerCase();
  if (path !== undefined) return repo.toLowerCase() === folded && file === path;
  const names = [id, model ?? "", file, file.replace(/^.*\//, "").replace(/\.gguf$/i, ""), repo];
  return names.some((each) => each.toLowerCase() === folded);
}

async function byTarget(
  context: CommandContext,
  { client, open }: { client: ServerClient; open: readonly DownloadRow[] },
): Promise<DownloadRow | undefined> {
  if (open.length === 0) return undefined;
  const { repo, model } = await findTarget(client, context.loaded.words);
  return open.find((row) =>
    row.repo.toLowerCase() === repo.toLowerCase() && row.file === model.file
  );
}

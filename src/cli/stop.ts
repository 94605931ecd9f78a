// `zombiecoder stop MODEL`, `--all`, `--server`: out of memory, or the end of the server.

import type { ModelRow } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { CommandContext } from "./command_context.ts";
import { connectRunning } from "./connection.ts";
import { findModel, modelPath } from "./model_lookup.ts";
import { jsonText, plainLine } from "./plain_text.ts";
import { isInMemory } from "./ps.ts";
import type { ServerClient } from "./server_client.ts";
import { StatusLine } from "./status_line.ts";

export async function stopModels(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  const { words, switches } = loaded;
  const wanted = [words.length > 0, switches.has("all"), switches.has("server")];
  if (wanted.filter(Boolean).length !== 1) {
    throw new AppError(
      "bad_flag",
      "Cannot tell what to stop: write zombiecoder stop MODEL, or --all, or --server",
    );
  }
  if (switches.has("server")) return await endServer(context);
  using client = await connectRunning(context);
  const rows = client === null ? [] : await unload(client, context);
  if (switches.has("json")) terminal.out(`${jsonText(rows, 2)}\n`);
  else if (client === null) terminal.err("The server is not running: nothing is loaded\n");
  else if (rows.length === 0) terminal.err("Nothing is loaded\n");
  else for (const { id } of rows) terminal.out(`Stopped ${plainLine(id)}\n`);
  return 0;
}

async function unload(
  client: ServerClient,
  { loaded, terminal }: CommandContext,
): Promise<ModelRow[]> {
  const { words, switches } = loaded;
  const models = switches.has("all")
    ? (await client.json<ModelRow[]>("/admin/models")).filter(isInMemory)
    : [await findModel(client, words[0]!)];
  using status = new StatusLine(terminal);
  if (models.length > 0) status.show(`Stopping ${models.map(({ id }) => id).join(", ")}`);
  return await Promise.all(models.map(({ id }) =>
    client.json<ModelRow>(modelPath(id, "/unload"), {
      method: "POST",
      body: { force: switches.has("force") },
    })
  ));
}

async function endServer({ terminal, loaded, servers }: CommandContext): Promise<number> {
  using status = new StatusLine(terminal);
  status.show("Stopping the server: answers in progress may end");
  const ended = await servers.end();
  status.clear();
  if (loaded.switches.has("json")) terminal.out(`${jsonText({ ended })}\n`);
  else if (ended) terminal.out("Stopped the server\n");
  else terminal.err("The server is not running\n");
  return 0;
}

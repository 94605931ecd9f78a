// `zombiecoder load MODEL`: into memory, waiting until it answers.

import type { ModelRow } from "../api_types.ts";
import { formatDuration } from "../duration.ts";
import { sizeText } from "./amounts.ts";
import type { CommandContext } from "./command_context.ts";
import { connect } from "./connection.ts";
import { findModel, modelPath } from "./model_lookup.ts";
import { jsonText, plainLine } from "./plain_text.ts";
import { StatusLine } from "./status_line.ts";
import type { ServerClient } from "./server_client.ts";

export async function loadModel(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  using client = await connect(context);
  const { id } = await findModel(client, loaded.words[0]!);
  const row = await loadWatched(context, { client, id });
  if (loaded.switches.has("json")) {
    terminal.out(`${jsonText(row, 2)}\n`);
  } else {
    const memory = row.memory_bytes === null ? "" : ` (${sizeText(row.memory_bytes)})`;
    terminal.out(`Loaded ${plainLine(row.id)}${memory}\n`);
  }
  return 0;
}

const LOOK_MS = 250;

async function loadWatched(
  { terminal, loaded }: CommandContext,
  { client, id }: { client: ServerClient; id: string },
): Promise<ModelRow> {
  using status = new StatusLine(terminal);
  const { keepAliveMs, sources } = loaded.config;
  const body = sources.keepAliveMs === "flag" ? { keep_alive: formatDuration(keepAliveMs) } : {};
  const loading = client.json<ModelRow>(modelPath(id, "/load"), { method: "POST", body });
  // Whatever it ends with is answered below.
  let isOver = false;
  const over = loading.then(() => {}, () => {}).finally(() => isOver = true);
  status.show(`Loading ${id}`);
  while (!isOver && terminal.hasErrors) {
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, LOOK_MS))]);
    if (isOver) break;
    const { progress } = await client.json<ModelRow>(modelPath(id));
    const percent = progress === null ? "" : ` ${Math.floor(progress * 100)} %`;
    status.show(`Loading ${id}${percent}`);
  }
  return await loading;
}

// `zombiecoder connect [TOOL]`: what to write into another program so that it asks this server.

import type { ModelRow } from "../api_types.ts";
import { AppError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { CommandContext } from "./command_context.ts";
import { connectRunning } from "./connection.ts";
import { type Connection, TOOLS } from "./connect_tools.ts";
import { findModel } from "./model_lookup.ts";
import { jsonText, plainLine } from "./plain_text.ts";
import { ServerClient } from "./server_client.ts";

export async function printConnection(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  const [name] = loaded.words;
  const tools = name === undefined ? TOOLS : [toolNamed(name)];
  const connection = await connectionOf(context);
  const json = loaded.switches.has("json");
  const shown = tools.map((tool) => ({
    tool: tool.name,
    title: tool.title,
    ...tool.settings(connection),
  }));
  if (json) {
    const { address, model, needsKey } = connection;
    const whole = { address, model, needs_key: needsKey, tools: shown };
    terminal.out(`${jsonText(whole, 2)}\n`);
    return 0;
  }
  for (const { title, where, text } of shown) {
    terminal.out(`${terminal.paint("bold", title)}  ${where}\n\n${indented(text)}\n\n`);
  }
  if (connection.needsKey) {
    terminal.err(
      "This server wants a key: write yours in place of $ZOMBIE_API_KEY (zombiecoder keys add NAME makes one)\n",
    );
  }
  return 0;
}

function toolNamed(name: string) {
  const found = TOOLS.find((tool) => tool.name === name.toLowerCase());
  if (found !== undefined) return found;
  const names = TOOLS.map((tool) => tool.name);
  const meant = nearest(name, names);
  const hint = meant === null ? "" : `Did you mean ${JSON.stringify(meant)}? `;
  throw new AppError(
    "bad_flag",
    `Unknown tool ${JSON.stringify(name)}. ${hint}There is ${names.join(", ")}`,
  );
}

async function connectionOf(context: CommandContext): Promise<Connection> {
  const { loaded, terminal } = context;
  const { config } = loaded;
  const named = loaded.switches.get("model");
  const wanted = typeof named === "string" ? named : null;
  using client = await connectRunning(context);
  if (client === null) {
    terminal.err(
      "The server is not running; this is where it would be. zombiecoder serve starts it\n",
    );
    const port = config.port || 8001;
    return {
      address: `http://127.0.0.1:${port}`,
      model: plainLine(wanted ?? "MODEL"),
      needsKey: config.apiKey !== null,
    };
  }
  const model = wanted === null
    ? usualModel(await client.json<ModelRow[]>("/admin/models"))
    : (await findModel(client, wanted)).id;
  return {
    address: client.address,
    model: plainLine(model),
    needsKey: await needsKey(client.address),
  };
}

/** One that is in memory, else the first of the user's own. */
function usualModel(rows: readonly ModelRow[]): string {
  const own = rows.filter(({ builtin, capabilities }) => !builtin && capabilities.includes("chat"));
  return (own.find(({ state }) => state === "ready") ?? own[0])?.id ?? rows[0]?.id ?? "hello";
}

async function needsKey(address: string): Promise<boolean> {
  using stranger = new ServerClient({ address, apiKey: null });
  try {
    await stranger.json("/v1/models");
    return false;
  } catch (error) {
    if (error instanceof AppError && error.code === "invalid_api_key") return true;
    throw error;
  }
}

function indented(text: string): string {
  return text.split("\n").map((line) => line === "" ? "" : `    ${line}`).join("\n");
}

// `zombiecoder connect [TOOL]`: what to write into another program so that it asks this server.

import type { ConnectAnswer } from "../api_types.ts";
import { type Connection, KEY_PLACE, TOOLS } from "../connect_tools.ts";
import { AppError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { CommandContext } from "./command_context.ts";
import { connectRunning } from "./connection.ts";
import { findModel } from "./model_lookup.ts";
import { jsonText, plainLine } from "./plain_text.ts";

export async function printConnection(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  const [name] = loaded.words;
  const tools = name === undefined ? TOOLS : [toolNamed(name)];
  const connection = await connectionOf(context);
  const json = loaded.switches.has("json");
  const shown = tools.map(({ name, title, where, note, text }) => ({
    tool: name,
    title,
    where,
    note,
    text: text(connection),
  }));
  if (json) {
    const { address, model, needsKey } = connection;
    const whole = { address, model, needs_key: needsKey, tools: shown };
    terminal.out(`${jsonText(whole, 2)}\n`);
    return 0;
  }
  for (const { title, where, note, text } of shown) {
    terminal.out(`${terminal.paint("bold", title)}  ${where}\n\n${indented(text)}\n\n`);
    if (note !== null) terminal.out(`${note}\n\n`);
  }
  if (connection.needsKey) {
    const cannot = tools.filter(({ sendsKey }) => !sendsKey).map(({ title }) => title);
    if (cannot.length > 0) {
      terminal.err(`${cannot.join(", ")} can send no key: it works only with a server without\n`);
    }
    terminal.err(
      `This server wants a key: write yours in place of ${KEY_PLACE} (zombiecoder keys add NAME makes one)\n`,
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
  const id = wanted === null ? "" : (await findModel(client, wanted)).id;
  const query = new URLSearchParams({ model: id });
  const { model, needs_key } = await client.json<ConnectAnswer>(`/admin/connect?${query}`);
  return { address: client.address, model: plainLine(model), needsKey: needs_key };
}

function indented(text: string): string {
  return text.split("\n").map((line) => line === "" ? "" : `    ${line}`).join("\n");
}

// `zombiecoder logs [MODEL] [-f]`: of a running server as it has them, else from its file.

import { join } from "node:path";
import { AppError, messageOf } from "../errors.ts";
import type { CommandContext } from "./command_context.ts";
import { connectRunning } from "./connection.ts";
import { findModel, modelPath } from "./model_lookup.ts";
import { jsonText, plainText } from "./plain_text.ts";
import type { ServerClient } from "./server_client.ts";

const MOST_FILE_LINES = 500;

export async function printLogs(context: CommandContext): Promise<number> {
  const { loaded } = context;
  using client = await connectRunning(context);
  const [name] = loaded.words;
  if (client === null) {
    if (name !== undefined || loaded.switches.has("follow")) {
      throw new AppError(
        "server_unreachable",
        "Cannot follow a log: the server is not running. Start it with zombiecoder serve",
      );
    }
    for (const line of fileLines(loaded.config.home)) print(context, line);
    return 0;
  }
  const id = name === undefined ? null : (await findModel(client, name)).id;
  if (loaded.switches.has("follow")) return await follow(context, { client, id });
  for (const line of await kept(client, id)) print(context, line);
  return 0;
}

async function kept(client: ServerClient, id: string | null): Promise<string[]> {
  if (id !== null) return (await client.json<{ lines: string[] }>(modelPath(id, "/log"))).lines;
  return (await client.text("/logs")).split("\n").filter((line) => line !== "");
}

// Ctrl-C ends it, as it ends every program; the end of the server does, too.
async function follow(
  context: CommandContext,
  { client, id }: { client: ServerClient; id: string | null },
): Promise<number> {
  if (id === null) {
    for await (const line of client.lines("/logs/stream")) print(context, line);
  } else {
    for await (const each of client.events(modelPath(id, "/log?follow=true"))) {
      if ("data" in each) print(context, (JSON.parse(each.data) as { line: string }).line);
    }
  }
  context.terminal.err("The server has ended\n");
  return 0;
}

function print({ terminal, loaded }: CommandContext, line: string): void {
  terminal.out(loaded.switches.has("json") ? `${jsonText({ line })}\n` : `${plainText(line)}\n`);
}

function fileLines(home: string): string[] {
  const path = join(home, "logs", "zombiecoder.log");
  try {
    return Deno.readTextFileSync(path).split("\n").filter((line) => line !== "")
      .slice(-MOST_FILE_LINES);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new AppError(
      "folder_unusable",
      `Cannot read ${JSON.stringify(path)}: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

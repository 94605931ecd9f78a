// The way to the server: the one that runs, else one that is started and goes on in the background.

import type { CommandContext } from "./command_context.ts";
import { ServerClient } from "./server_client.ts";
import { StatusLine } from "./status_line.ts";

/** Starts one where none runs, and says so. */
export async function connect(context: CommandContext): Promise<ServerClient> {
  const running = await connectRunning(context);
  if (running !== null) return running;
  const { terminal, servers } = context;
  using status = new StatusLine(terminal);
  status.show("Starting the server");
  const { address } = await servers.start();
  status.clear();
  terminal.err(`Started the server at ${address}; zombiecoder stop --server ends it\n`);
  return clientOf(context, address);
}

/** Null where none runs. */
export async function connectRunning(context: CommandContext): Promise<ServerClient | null> {
  const running = await context.servers.running();
  return running === null ? null : clientOf(context, running.address);
}

function clientOf({ loaded }: CommandContext, address: string): ServerClient {
  return new ServerClient({ address, apiKey: loaded.config.apiKey });
}

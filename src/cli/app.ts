// `zombiecoder app`: the dashboard in a window of its own, in front where it is open already.

import type { CommandContext } from "./command_context.ts";
import { connect } from "./connection.ts";
import type { ScopeInfo } from "../api_types.ts";
import { inQuotes } from "../connect_tools.ts";
import { AppError } from "../errors.ts";
import { jsonText, plainLine } from "./plain_text.ts";
import type { ServerClient } from "./server_client.ts";
import { StatusLine } from "./status_line.ts";

const SAID = {
  opened: "Opened",
  front: "Brought to the front:",
  browser: "Opened in your browser:",
} as const;

export async function openApp(context: CommandContext): Promise<number> {
  const { terminal, loaded, desktop } = context;
  using client = await connect(context);
  const { address } = client;
  // The key, if the server wants one, is asked for by the page: every user can list arguments.
  const runtimeHome = await otherRuntimeHome(client, loaded.config.runtimeHome);
  if (runtimeHome !== null) {
    // Not taken at its word: the window's profile must lie where the server cannot write.
    terminal.err(
      `The server was started with --runtime-home ${
        plainLine(inQuotes(runtimeHome))
      }: give it here, ` +
        "too, and both use one window\n",
    );
  }
  using line = new StatusLine(terminal);
  line.show("Opening the window");
  const shown = await desktop.show(address);
  line.clear();
  if (loaded.switches.has("json")) terminal.out(`${jsonText({ address, shown })}\n`);
  else terminal.out(`${SAID[shown]} ${address}\n`);
  return 0;
}

/** Null where it is the same, or the server tells nothing without a key. */
async function otherRuntimeHome(client: ServerClient, own: string): Promise<string | null> {
  try {
    const { runtime_home: runtimeHome } = await client.json<ScopeInfo>("/admin/scope");
    return runtimeHome === own ? null : runtimeHome;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return null;
  }
}

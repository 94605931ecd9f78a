// `zombiecoder app`: the dashboard in a window of its own, in front where it is open already.

import type { CommandContext } from "./command_context.ts";
import { connect } from "./connection.ts";
import { jsonText } from "./plain_text.ts";

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
  const shown = await desktop.show(address);
  if (loaded.switches.has("json")) terminal.out(`${jsonText({ address, shown })}\n`);
  else terminal.out(`${SAID[shown]} ${address}\n`);
  return 0;
}

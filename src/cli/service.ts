// `zombiecoder service install`, `remove`, `status`: the server starts with its user, or no longer.

import { AppError } from "../errors.ts";
import type { CommandContext, ServiceState } from "./command_context.ts";
import { jsonText, plainLine } from "./plain_text.ts";
import { StatusLine } from "./status_line.ts";

export async function manageService(context: CommandContext): Promise<number> {
  const [action = "status"] = context.loaded.words;
  if (action === "install") return await install(context);
  if (action === "remove") return await remove(context);
  if (action === "status") return await printStatus(context);
  throw new AppError(
    "bad_flag",
    `Cannot do ${JSON.stringify(action)}: write zombiecoder service install, remove or status`,
  );
}

async function install(context: CommandContext): Promise<number> {
  const { terminal, loaded, service } = context;
  using line = new StatusLine(terminal);
  line.show("Installing the service");
  const { status, started, address, leftOut, cached } = await service.install();
  line.clear();
  if (leftOut.length > 0) {
    terminal.err(
      `The service starts without ${leftOut.join(", ")}: others may read a service's settings\n`,
    );
  }
  if (cached !== null) {
    terminal.err(
      `The service starts ${
        plainLine(cached)
      }, which is gone when npm's cache is cleaned: install ` +
        "Deno or use the executable, then zombiecoder service install again\n",
    );
  }
  if (loaded.switches.has("json")) {
    terminal.out(`${jsonText({ ...shown(status), started, address })}\n`);
    return 0;
  }
  const where = status.path === null ? "" : ` in ${plainLine(status.path)}`;
  terminal.out(`Installed the service${where}: it starts when you log in\n`);
  if (!started) {
    terminal.out(
      "A server is running already: the service takes its place when you log in next, or with " +
        "zombiecoder stop --server and zombiecoder service install\n",
    );
  } else if (address === null) {
    terminal.err("The server is not ready yet: zombiecoder logs may show why\n");
  } else {
    terminal.out(`It runs now at ${address}\n`);
  }
  return started && address === null ? 1 : 0;
}

async function remove({ terminal, loaded, service }: CommandContext): Promise<number> {
  using line = new StatusLine(terminal);
  line.show("Removing the service: answers in progress may end");
  const removed = await service.remove();
  line.clear();
  if (loaded.switches.has("json")) terminal.out(`${jsonText({ removed })}\n`);
  else if (removed) terminal.out("Removed the service\n");
  else terminal.err("The service is not installed\n");
  return 0;
}

async function printStatus(
  { terminal, loaded, service, servers }: CommandContext,
): Promise<number> {
  const status = await service.status();
  const { home: own } = loaded.config;
  // Of the server that the service starts, even where this command was given another home.
  const home = status?.home ?? null;
  const address = home === null ? (await servers.running())?.address ?? null : status!.address;
  if (loaded.switches.has("json")) {
    terminal.out(`${jsonText({ ...shown(status), address })}\n`);
    return 0;
  }
  if (status === null) {
    terminal.out("The service is not installed: zombiecoder service install does it\n");
  } else {
    const enabled = status.enabled ? "starts when you log in" : "does not start by itself";
    const running = status.running ? "runs" : "does not run";
    terminal.out(`The service is installed, ${enabled}, and ${running}\n`);
    if (status.path !== null) terminal.out(`Its settings: ${plainLine(status.path)}\n`);
    if (home !== null && home !== own) terminal.out(`Its home: ${plainLine(home)}\n`);
    if (status.gone !== null) {
      terminal.out(
        `It cannot start: ${plainLine(status.gone)} is not there any more. zombiecoder service ` +
          "install names what is there now\n",
      );
    }
  }
  if (address !== null) terminal.out(`The server runs at ${address}\n`);
  else if (home !== null && status?.running === true) {
    terminal.out("Its server is not ready yet: zombiecoder logs may show why\n");
  } else terminal.out("No server is running\n");
  return 0;
}

function shown(status: ServiceState | null) {
  const { enabled = false, running = false, path = null, home = null, gone = null } = status ?? {};
  return { installed: status !== null, enabled, running, path, home, gone };
}

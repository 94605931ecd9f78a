// Which file is which command. Each is loaded when it is called: `version` does not pay for a chat.

import type { CommandContext, RunCommand } from "./command_context.ts";

const COMMANDS: Readonly<Record<string, () => Promise<RunCommand>>> = {
  async run() {
    return (await import("./run.ts")).runModel;
  },
  async list() {
    return (await import("./list.ts")).listModels;
  },
  async ps() {
    return (await import("./ps.ts")).listLoaded;
  },
  async load() {
    return (await import("./load.ts")).loadModel;
  },
  async stop() {
    return (await import("./stop.ts")).stopModels;
  },
  async pull() {
    return (await import("./pull.ts")).pullModel;
  },
  async search() {
    return (await import("./search.ts")).searchHub;
  },
  async import() {
    return (await import("./import.ts")).importModels;
  },
  async rm() {
    return (await import("./rm.ts")).removeModel;
  },
  async show() {
    return (await import("./show.ts")).showModel;
  },
  async logs() {
    return (await import("./logs.ts")).printLogs;
  },
  async keys() {
    return (await import("./keys.ts")).manageKeys;
  },
  async config() {
    const { printConfig } = await import("./config.ts");
    return ({ loaded, terminal }) => printConfig(loaded, terminal);
  },
  async doctor() {
    return (await import("./doctor.ts")).examine;
  },
  async connect() {
    return (await import("./connect.ts")).printConnection;
  },
  async app() {
    return (await import("./app.ts")).openApp;
  },
  async runtime() {
    return (await import("./runtime.ts")).manageRuntimes;
  },
  async scope() {
    return (await import("./scope.ts")).printScope;
  },
  async service() {
    return (await import("./service.ts")).manageService;
  },
  async completions() {
    return (await import("./completions.ts")).printCompletions;
  },
  async version() {
    const { printVersion } = await import("./version.ts");
    return ({ loaded, terminal }) => printVersion(loaded.switches, terminal);
  },
  async help() {
    const { printHelp } = await import("./help.ts");
    return ({ loaded, terminal }) => printHelp(loaded, terminal);
  },
};

/** Returns the exit code. */
export async function runCommand(name: string, context: CommandContext): Promise<number> {
  const run = await COMMANDS[name]!();
  const { loaded, terminal } = context;
  // `config` tells of them itself.
  if (name !== "config") { for (const warning of loaded.warnings) terminal.err(`${warning}\n`); }
  return await run(context);
}

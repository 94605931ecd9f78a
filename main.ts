// Starts the privileged side and, through it, the server in its scope; or runs one command.

import type { ServerProcesses } from "./src/cli/command_context.ts";
import { plainLine, plainText } from "./src/cli/plain_text.ts";
import { ProcessTerminal } from "./src/cli/terminal.ts";
import { loadConfig, type LoadedConfig, type ProcessInput, readProcess } from "./src/config.ts";
import { AppError, messageOf } from "./src/errors.ts";

// Each command loads what it needs: `version` must not pay for the server.
async function main(input: ProcessInput, terminal: ProcessTerminal): Promise<number> {
  const loaded = loadConfig(input);
  const { name } = loaded.command;
  if (name === "serve") return await serve(loaded, { input, io: terminal });
  const { runCommand } = await import("./src/cli/run_command.ts");
  return await runCommand(name, {
    loaded,
    terminal,
    servers: serverProcesses(loaded),
    cwd: input.cwd,
  });
}

async function serve(
  loaded: LoadedConfig,
  { input, io }: { input: ProcessInput; io: ProcessTerminal },
): Promise<number> {
  for (const warning of loaded.warnings) io.err(`${warning}\n`);
  const { serve } = await import("./src/host/serve.ts");
  return await serve({
    config: loaded.config,
    programDir: import.meta.dirname ?? input.cwd,
    socketBase: input.runtimeDir ?? input.tmpDir,
    path: input.env.PATH ?? null,
    importPlaces: input,
    io,
  });
}

// Handed over: commands are clients, and know nothing of processes.
function serverProcesses({ config, flags }: LoadedConfig): ServerProcesses {
  const host = () => import("./src/host/detached_server.ts");
  return {
    running: async () => (await host()).runningServer(config.home),
    start: async () => (await host()).startDetached({ config, flags, program: import.meta.url }),
    end: async () => (await host()).endServer(config.home),
  };
}

if (import.meta.main) {
  const input = readProcess();
  const terminal = new ProcessTerminal(input.env);
  try {
    Deno.exit(await main(input, terminal));
  } catch (error) {
    Deno.exit(complain(error, { input, terminal }));
  }
}

/** In one line; where a bug happened only for who asks for it. Returns the exit code. */
function complain(
  error: unknown,
  { input, terminal }: { input: ProcessInput; terminal: ProcessTerminal },
): number {
  if (error instanceof AppError) {
    terminal.err(`${plainLine(error.message)}\n`);
    return error.code === "bad_flag" ? 2 : 1;
  }
  terminal.err(
    `Cannot go on because of a bug: ${plainLine(messageOf(error))}. ` +
      "Report it with what ZOMBIE_LOG_LEVEL=debug adds\n",
  );
  if (input.env.ZOMBIE_LOG_LEVEL === "debug" && error instanceof Error) {
    terminal.err(`${plainText(error.stack ?? "")}\n`);
  }
  return 1;
}

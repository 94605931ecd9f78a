// Starts the privileged side and, through it, the server in its scope; or runs one command.

import type { Io } from "./src/cli/io.ts";
import { loadConfig, type LoadedConfig, type ProcessInput, readProcess } from "./src/config.ts";
import { AppError } from "./src/errors.ts";

const io: Io = {
  out: (text) => writeAll(Deno.stdout, text),
  err: (text) => writeAll(Deno.stderr, text),
};

// Each command loads what it needs: `version` must not pay for the server.
async function main(): Promise<number> {
  const input = readProcess();
  const loaded = loadConfig(input);
  switch (loaded.command.name) {
    case "config":
      return (await import("./src/cli/config.ts")).printConfig(loaded, io);
    case "version":
      return (await import("./src/cli/version.ts")).printVersion(io);
    case "help":
      return (await import("./src/cli/help.ts")).printHelp(loaded, io);
    default:
      return await serve(loaded, input);
  }
}

async function serve(loaded: LoadedConfig, input: ProcessInput): Promise<number> {
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

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    io.err(`${error.message}\n`);
    Deno.exit(error.code === "bad_flag" ? 2 : 1);
  }
}

// Starts the privileged side and, through it, the server in its scope; or runs one command.

import { reachable } from "./src/addresses.ts";
import type { Desktop, ServerProcesses, Service } from "./src/cli/command_context.ts";
import { plainLine, plainText } from "./src/cli/plain_text.ts";
import { ProcessTerminal } from "./src/cli/terminal.ts";
import {
  forgetServeAddress,
  loadConfig,
  type LoadedConfig,
  type ProcessInput,
  readProcess,
} from "./src/config.ts";
import { AppError, messageOf } from "./src/errors.ts";

class Program {
  readonly #input = readProcess();
  readonly #terminal = new ProcessTerminal(this.#input.env);
  /** Where who started us in the background waits for the reason why we are not ready. */
  #startReport = this.#input.env.ZOMBIE_START_REPORT ?? null;

  async run(): Promise<never> {
    try {
      Deno.exit(await this.#command());
    } catch (error) {
      this.#end(error);
    }
  }

  // Each command loads what it needs: `version` must not pay for the server.
  async #command(): Promise<number> {
    const loaded = loadConfig(this.#input);
    const { name } = loaded.command;
    if (name === "serve") {
      if (!loaded.explicit && "BrowserWindow" in Deno) return await this.#inNativeWindow(loaded);
      const desktop = await startDesktop(loaded, this.#input);
      return desktop === null ? await this.#serve(loaded) : await this.#open(loaded, desktop);
    }
    globalThis.addEventListener("unhandledrejection", ({ reason }) => this.#end(reason));
    globalThis.addEventListener("error", ({ error }) => this.#end(error));
    const { runCommand } = await import("./src/cli/run_command.ts");
    return await runCommand(name, {
      loaded,
      terminal: this.#terminal,
      servers: serverProcesses(loaded),
      desktop: desktopOf(loaded, this.#input),
      service: serviceOf(loaded, this.#input),
      cwd: this.#input.cwd,
    });
  }

  /** No command: the page of the server that runs, else one of our own. */
  async #open(loaded: LoadedConfig, desktop: Desktop): Promise<number> {
    const { serveOrFind } = await import("./src/host/detached_server.ts");
    const other = await serveOrFind(loaded.config.home, () =>
      this.#serve(loaded, (address) => {
        // It serves all the same.
        desktop.show(address).catch((error) =>
          this.#terminal.err(`${plainLine(messageOf(error))}\n`)
        );
      }));
    if (typeof other === "number") return other;
    this.#terminal.out(`ZombieCoder is already running at ${other.address}\n`);
    await desktop.show(other.address);
    return 0;
  }

  /** Within what `deno desktop` made: the window shows the page of the server that runs, or ours. */
  async #inNativeWindow(loaded: LoadedConfig): Promise<number> {
    const { leadTo } = await import("./src/host/desktop/native_window.ts");
    const { serveOrFind } = await import("./src/host/detached_server.ts");
    const page = Promise.withResolvers<string>();
    await using leading = leadTo(page.promise);
    forgetServeAddress();
    try {
      const resolve = (address: string) => page.resolve(reachable(address));
      const other = await serveOrFind(loaded.config.home, () => this.#serve(loaded, resolve));
      if (typeof other === "number") return other;
      resolve(other.address);
      await leading.finished;
      return 0;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      // The window is the only one to be told.
      page.reject(error);
      await leading.finished;
      return 1;
    }
  }

  async #serve(
    { config, warnings }: LoadedConfig,
    onReady?: (address: string) => void,
  ): Promise<number> {
    const terminal = this.#terminal;
    for (const warning of warnings) terminal.err(`${warning}\n`);
    const { serve } = await import("./src/host/serve.ts");
    return await serve({
      config,
      programDir: import.meta.dirname ?? this.#input.cwd,
      socketBases: this.#input,
      path: this.#input.env.PATH ?? null,
      importPlaces: this.#input,
      ...onReady !== undefined && { onReady },
      io: {
        out: (text) => {
          // What is said now is that we are ready: from here on anyone may have made that file.
          this.#startReport = null;
          terminal.out(text);
        },
        err: (text) => terminal.err(text),
      },
    });
  }

  /** In one line; where a bug happened only for who asks for it. */
  #end(error: unknown): never {
    // Flags narrower than anything can be done with: what is missing is in Deno's own words.
    const isRefused = error instanceof Deno.errors.NotCapable;
    const isBug = !isRefused && !(error instanceof AppError);
    const message = plainLine(isBug ? bugText(error) : messageOf(error));
    this.#terminal.err(`${message}\n`);
    if (isBug && error instanceof Error && this.#input.env.ZOMBIE_LOG_LEVEL === "debug") {
      this.#terminal.err(`${plainText(error.stack ?? "")}\n`);
    }
    if (this.#startReport !== null) writeReport(this.#startReport, message);
    Deno.exit(error instanceof AppError && error.code === "bad_flag" ? 2 : 1);
  }
}

function writeReport(path: string, message: string): void {
  try {
    Deno.writeTextFileSync(path, `${message}\n`, { create: false });
  } catch (error) {
    // Nobody waits any more.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function bugText(error: unknown): string {
  return `Cannot go on because of a bug: ${messageOf(error)}. ` +
    "Report it with what ZOMBIE_LOG_LEVEL=debug adds";
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

function desktopOf({ config }: LoadedConfig, places: ProcessInput): Desktop {
  return {
    async show(address) {
      const { showPage } = await import("./src/host/desktop/desktop.ts");
      return await showPage(address, { ...config, places });
    },
  };
}

function serviceOf(loaded: LoadedConfig, process: ProcessInput): Service {
  const host = () => import("./src/host/service/service.ts");
  const options = { loaded, process, program: import.meta.url };
  return {
    install: async () => (await host()).installService(options),
    remove: async () => (await host()).removeService(options),
    status: async () => (await host()).serviceStatus(options),
  };
}

/** Null unless a start without a command is to show the page. */
async function startDesktop(loaded: LoadedConfig, input: ProcessInput): Promise<Desktop | null> {
  if (loaded.explicit || !loaded.config.open) return null;
  const { hasDesktop, isLocalUser } = await import("./src/host/desktop/browsers.ts");
  return hasDesktop(input) && isLocalUser(input) ? desktopOf(loaded, input) : null;
}

if (import.meta.main) await new Program().run();

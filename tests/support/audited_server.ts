// The real program with its server in a process of its own, whose every question to Deno's permissions is
// written down.

import { join } from "node:path";
import { auditEnv } from "./permission_audit.ts";
import { type ServerOptions, type ServerProcess, startServer } from "./server_process.ts";

export interface AuditedServer extends AsyncDisposable {
  server: ServerProcess;
}

const ROOT = new URL("../../", import.meta.url);

export interface AuditedServerOptions extends ServerOptions {
  /** Folder for the sockets, and the audit's file. */
  dir: string;
  auditFile: string;
  /** The module that runs as the server; by default the real one. */
  serverUrl?: string;
}

export async function auditedServer(options: AuditedServerOptions): Promise<AuditedServer> {
  const runDir = join(options.dir, "run");
  Deno.mkdirSync(runDir);
  await using stack = new AsyncDisposableStack();
  const alone = new Deno.Command(Deno.execPath(), {
    args: [
      // As the program is started: `startServer()`.
      ...["run", "-A", "--no-prompt", "--quiet", "--cached-only", "tests/support/server_alone.ts"],
      ...[runDir, options.serverUrl ?? new URL("src/server.ts", ROOT).href],
    ],
    cwd: ROOT,
    env: { ...options.env, ...auditEnv(options.auditFile) },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  // It ends when its line to the host does; where there was none, by this.
  stack.defer(async () => {
    const kill = setTimeout(() => alone.kill("SIGKILL"), 10_000);
    await alone.status;
    clearTimeout(kill);
  });
  const server = stack.use(
    await startServer({
      ...options,
      entry: "tests/support/relayed_main.ts",
      env: { ...options.env, XDG_RUNTIME_DIR: runDir },
    }),
  );
  const whole = stack.move();
  return { server, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

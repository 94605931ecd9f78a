// A process with nothing in it but a server's Worker, in the scope that the real host gave: what this
// process asks for after the mark is the server's. (Deno's traces cannot tell: all threads share one.)

import { join } from "node:path";
import type { ToServer } from "../../src/host/messages.ts";
import { MessageLine } from "./message_line.ts";
import { AUDIT_MARK } from "./permission_audit.ts";

/** In the one folder that the host makes there. */
async function connect(runDir: string): Promise<Deno.Conn> {
  for (;;) {
    try {
      for (const { name } of Deno.readDirSync(runDir)) {
        return await Deno.connect({ transport: "unix", path: join(runDir, name, "63.sock") });
      }
    } catch (error) {
      const { NotFound, ConnectionRefused } = Deno.errors;
      if (!(error instanceof NotFound || error instanceof ConnectionRefused)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

if (import.meta.main) {
  const [runDir, serverUrl] = Deno.args as [string, string];
  const line = new MessageLine(await connect(runDir));
  let worker: Worker | null = null;
  for await (const message of line.messages() as AsyncGenerator<ToServer>) {
    if (message.type === "init") {
      Deno.env.get(AUDIT_MARK);
      worker = new Worker(serverUrl, {
        type: "module",
        deno: { permissions: message.scope.permissions },
      } as WorkerOptions);
      worker.onmessage = ({ data }) => line.send(data);
    }
    worker?.postMessage(message);
  }
  Deno.exit(0);
}

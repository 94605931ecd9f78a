// `main.ts serve` with a server that crashes on request, and a heartbeat limit of 3 seconds.

import { serveWith } from "./serve_main.ts";

if (import.meta.main) {
  await serveWith({
    serverUrl: import.meta.resolve("./crashing_server.ts"),
    heartbeatLimitMs: 3_000,
  });
}

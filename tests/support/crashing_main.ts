// `main.ts serve` with a server that crashes on request, and a heartbeat limit of 6 seconds: less than
// a user's, and more than a busy machine keeps a server silent for.

import { serveWith } from "./serve_main.ts";

if (import.meta.main) {
  await serveWith({
    serverUrl: import.meta.resolve("./crashing_server.ts"),
    heartbeatLimitMs: 6_000,
  });
}

// `main.ts serve` whose server runs in a process of its own.

import { serveWith } from "./serve_main.ts";

if (import.meta.main) await serveWith({ serverUrl: import.meta.resolve("./relayed_server.ts") });

// `main.ts serve` whose port is taken by somebody else before the server listens.

import { serveWith } from "./serve_main.ts";

if (import.meta.main) await serveWith({ serverUrl: import.meta.resolve("./late_server.ts") });

// The server whose port is taken by somebody else in the last moment, the first two times that it starts.

/// <reference lib="deno.worker" />

import { join } from "node:path";
import type { ToServer } from "../../src/host/messages.ts";

self.addEventListener("message", async (event: MessageEvent<ToServer>) => {
  const { data } = event;
  if (data.type !== "init") return;
  const { home, hosts, port } = data.config;
  const path = join(home, "tried-ports");
  await Deno.writeTextFile(path, `${port}\n`, { append: true });
  const tries = (await Deno.readTextFile(path)).trim().split("\n").length;
  if (tries <= 2) Deno.listen({ hostname: hosts[0]!, port });
  await import("../../src/server.ts");
  self.dispatchEvent(new MessageEvent("message", { data }));
}, { once: true });

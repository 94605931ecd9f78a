// The real server, and beside it what a dependency might do that was taken over: it asks for what the
// server's scope does not list, keeps what it is answered in the home, and goes on.

/// <reference lib="deno.worker" />

import { join } from "node:path";
import { messageOf } from "../../src/errors.ts";
import type { ToServer } from "../../src/host/messages.ts";
import "../../src/server.ts";

/** What it tries; each is refused. */
export const NOSY = {
  "read /etc/passwd": () => Deno.readTextFileSync("/etc/passwd"),
  "write outside": () => Deno.writeTextFileSync("/tmp/zombiecoder-nosy", "x"),
  "start a program": () => new Deno.Command("/bin/true").outputSync().code,
  "read a variable": () => Deno.env.get("HOME"),
  "connect elsewhere": () => Deno.connect({ hostname: "127.0.0.1", port: 9 }),
  "know the machine's name": () => Deno.hostname(),
} as const;

self.addEventListener("message", async ({ data }: MessageEvent<ToServer>) => {
  if (data.type !== "init") return;
  const answers: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(NOSY)) {
    try {
      answers[name] = `done: ${await attempt()}`;
    } catch (error) {
      answers[name] = `${error instanceof Error ? error.name : ""}: ${messageOf(error)}`;
    }
  }
  Deno.writeTextFileSync(join(data.config.home, "nosy.json"), JSON.stringify(answers));
});

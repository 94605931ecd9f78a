// The real server, which dies, hangs or grows when a file `crash` with the word for it is in the home.

/// <reference lib="deno.worker" />

import { join } from "node:path";
import type { ToServer } from "../../src/host/messages.ts";
import "../../src/server.ts";

/** How often it looks. */
const LOOK_MS = 5;

function obey(word: string): void {
  switch (word) {
    case "throw":
      throw new Error("Thrown by a test");
    case "reject":
      void Promise.reject(new Error("Rejected by a test"));
      return;
    case "hang":
      for (;;);
    case "grow":
      for (const held: number[][] = [];;) held.push(new Array(1_000_000).fill(held.length));
  }
}

self.addEventListener("message", ({ data }: MessageEvent<ToServer>) => {
  if (data.type !== "init") return;
  const path = join(data.config.home, "crash");
  setInterval(() => {
    let word: string;
    try {
      word = Deno.readTextFileSync(path);
      Deno.removeSync(path);
    } catch {
      // Nobody asks for it yet.
      return;
    }
    obey(word);
  }, LOOK_MS);
});

// Stands in the server's place and hands every message on to a process of its own in which the real server
// runs: `server_alone.ts`. Its way there is the last of the places, which is in the scope.

/// <reference lib="deno.worker" />

import type { ToServer } from "../../src/host/messages.ts";
import { MessageLine } from "./message_line.ts";

const waiting: ToServer[] = [];
let line: MessageLine | null = null;

async function relay(path: string): Promise<void> {
  using listener = Deno.listen({ transport: "unix", path });
  line = new MessageLine(await listener.accept());
  for (const message of waiting) line.send(message);
  for await (const message of line.messages()) self.postMessage(message);
}

self.addEventListener("message", ({ data }: MessageEvent<ToServer>) => {
  if (data.type === "init") {
    const place = data.places.at(-1)!;
    if (!("socketPath" in place)) throw new Error("There are no sockets here");
    void relay(place.socketPath);
  }
  if (line === null) waiting.push(data);
  else line.send(data);
});

// The log of a model's process as a stream of events, across its ends and starts.

import type { Instance } from "../runtime/instance.ts";
import { EventStream, eventText } from "./event_stream.ts";

/** How soon the log of a process that was started anew is joined. */
const LOOK_MS = 250;
const PING_MS = 15_000;

type LogSource = Pick<Instance, "lastLines" | "followLog" | "token">;

/** `instance` answers null until somebody asked for the model. */
export function logStream(instance: () => LogSource | null): Response {
  let unfollow = () => {};
  let followed: string | null = null;
  let lastSentMs = performance.now();
  const stream = new EventStream({
    onEnd: () => {
      clearInterval(timer);
      unfollow();
    },
  });
  const timer = setInterval(look, LOOK_MS);
  stream.send(": ping\n\n");
  look();
  return stream.response;

  function look(): void {
    const source = instance();
    // A process that ended leaves its lines; the next start has a token and a log of its own.
    if (source !== null && source.token !== followed) follow(source);
    if (performance.now() - lastSentMs < PING_MS) return;
    lastSentMs = performance.now();
    stream.send(": ping\n\n");
  }

  function follow(source: LogSource): void {
    unfollow();
    followed = source.token;
    for (const line of source.lastLines) send(line);
    unfollow = source.followLog(send);
  }

  function send(line: string): void {
    lastSentMs = performance.now();
    stream.send(eventText({ event: "line", data: { line } }));
  }
}

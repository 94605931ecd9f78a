// Log lines as plain text: the server's own, the models', one model's, or all of them.

import type { Entry } from "../orchestrator/entry.ts";
import type { Instance } from "../runtime/instance.ts";
import type { Parts } from "./parts.ts";

export type LogChoice = { of: "all" | "server" | "models" } | { of: "model"; id: string };

type LogParts = Pick<Parts, "orchestrator" | "logTail">;

/** How soon the log of a process that was started meanwhile is joined. */
const LOOK_MS = 250;
/** What a reader may leave unread before it is cut off. */
const MOST_UNREAD_BYTES = 1024 * 1024;
const encoder = new TextEncoder();

/** What is kept; each model's lines after the server's own. */
export function logLines(parts: LogParts, choice: LogChoice): string[] {
  const own = choice.of === "all" || choice.of === "server" ? parts.logTail.lines : [];
  const models = chosen(parts, choice).flatMap(({ instance }) =>
    instance.lastLines.map((line) => shown(choice, { instance, line }))
  );
  return [...own, ...models];
}

/** The lines as they come, until the reader leaves. */
export function logTextStream(
  parts: LogParts,
  { choice, history }: { choice: LogChoice; history: boolean },
): ReadableStream<Uint8Array> {
  const follows = new Map<Instance, { token: string; end(): void }>();
  let endOwn = () => {};
  let timer: ReturnType<typeof setInterval> | undefined;
  let ended = false;
  function end(): void {
    ended = true;
    clearInterval(timer);
    endOwn();
    for (const follow of follows.values()) follow.end();
  }
  return new ReadableStream<Uint8Array>({
    start(controller) {
      function send(line: string): void {
        const bytes = encoder.encode(`${line}\n`);
        if ((controller.desiredSize ?? 0) >= bytes.length) return controller.enqueue(bytes);
        end();
        controller.error(new Error("The reader of a log fell behind"));
      }
      // Each start has a token and a log of its own, of which nothing is to be missed, nor told twice.
      function look(withLines: boolean): void {
        for (const { instance } of chosen(parts, choice)) {
          if (ended) return;
          const { token } = instance;
          const known = follows.get(instance);
          if (token === known?.token) continue;
          known?.end();
          const take = (line: string) => send(shown(choice, { instance, line }));
          if (withLines) instance.lastLines.forEach(take);
          if (ended) return;
          follows.set(instance, { token, end: instance.followLog(take) });
        }
      }
      if (choice.of === "all" || choice.of === "server") {
        if (history) parts.logTail.lines.forEach(send);
        endOwn = parts.logTail.follow(send);
      }
      look(history);
      if (!ended) timer = setInterval(() => look(true), LOOK_MS);
    },
    cancel: end,
  }, new ByteLengthQueuingStrategy({ highWaterMark: MOST_UNREAD_BYTES }));
}

function chosen({ orchestrator }: LogParts, choice: LogChoice): Entry[] {
  if (choice.of === "server") return [];
  return [...orchestrator.entries()].filter((entry) =>
    choice.of !== "model" || entry.model.id === choice.id
  );
}

function shown(
  choice: LogChoice,
  { instance, line }: { instance: Instance; line: string },
): string {
  return choice.of === "model" ? line : `[${instance.modelId}] ${line}`;
}

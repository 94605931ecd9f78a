// What a page's main thread does in one go, by the processor's time: what keeps it from drawing the next
// frame, whatever else this computer is busy with.

import type { OpenPage } from "./browser.ts";

export interface FrameWork {
  /** Of the longest task: scripts, styles, layout and painting between two chances to draw. */
  longestMs: number;
  /** Of all tasks together. */
  totalMs: number;
  /** Between two frames, by the clock: on a computer that does nothing else. */
  longestFrameMs: number;
}

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Microseconds of the processor. */
  tdur?: number;
  args: { name?: string };
}

/** Runs it, and tells what the page did meanwhile. */
export async function workOf(
  { page }: Pick<OpenPage, "page">,
  run: () => Promise<unknown>,
): Promise<FrameWork> {
  const browser = page.context().browser()!;
  const session = await browser.newBrowserCDPSession();
  const events: TraceEvent[] = [];
  session.on(
    "Tracing.dataCollected",
    ({ value }) => events.push(...value as unknown as TraceEvent[]),
  );
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: ["toplevel", "__metadata"] },
  });
  await page.evaluate(WATCH_FRAMES);
  await run();
  const longestFrameMs = await page.evaluate<number>("watchedFrames.end()");
  const { promise: whole, resolve } = Promise.withResolvers<void>();
  session.once("Tracing.tracingComplete", () => resolve());
  await session.send("Tracing.end");
  await whole;
  await session.detach();
  const tasks = tasksOfPage(events);
  if (tasks.length === 0) throw new Error("The trace shows no task of the page");
  return {
    longestMs: Math.max(...tasks),
    totalMs: tasks.reduce((sum, each) => sum + each, 0),
    longestFrameMs,
  };
}

/** Milliseconds of each task. Of several processes the busiest is the page's. */
function tasksOfPage(events: readonly TraceEvent[]): number[] {
  const threads = new Map<string, number[]>();
  for (const { name, pid, tid, args } of events) {
    if (name === "thread_name" && args.name === "CrRendererMain") threads.set(`${pid} ${tid}`, []);
  }
  for (const { name, ph, pid, tid, tdur } of events) {
    if (ph !== "X" || !name.endsWith("RunTask") || tdur === undefined) continue;
    threads.get(`${pid} ${tid}`)?.push(tdur / 1000);
  }
  const sum = (tasks: number[]) => tasks.reduce((all, each) => all + each, 0);
  return [...threads.values()].toSorted((a, b) => sum(b) - sum(a))[0] ?? [];
}

const WATCH_FRAMES = `globalThis.watchedFrames = (() => {
  let last = performance.now();
  let longest = 0;
  let frame = requestAnimationFrame(function look(now) {
    longest = Math.max(longest, now - last);
    last = now;
    frame = requestAnimationFrame(look);
  });
  return { end: () => (cancelAnimationFrame(frame), longest) };
})()`;

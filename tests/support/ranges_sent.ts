// What the stand-in's second host sent of a file: where each answer began, how far it came.

import type { TestHub } from "./hub.ts";

export interface SentRange {
  start: number;
  /** Exclusive. */
  end: number;
}

/** In the order of the requests; refusals and empty answers are left out. */
export function rangesSent(hub: TestHub, file: string, from = 0): SentRange[] {
  return hub.requests.slice(from)
    .filter((each) => each.host === "cdn" && each.file === file && each.sentBytes > 0)
    .filter(({ status }) => status === 206 || status === 200)
    .map(({ sentFrom, sentBytes }) => ({ start: sentFrom, end: sentFrom + sentBytes }));
}

/** All bytes of the answers to these requests. */
export function bytesSent(hub: TestHub, file: string, from = 0): number {
  return rangesSent(hub, file, from).reduce((sum, { start, end }) => sum + end - start, 0);
}

/** Bytes that were sent more than once, each counted as often as it was too many. */
export function bytesSentTwice(ranges: readonly SentRange[]): number {
  const sent = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  let [covered, at] = [0, 0];
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    covered += Math.max(0, end - Math.max(at, start));
    at = Math.max(at, end);
  }
  return sent - covered;
}

// How often a model's process died lately, and what follows: pure rules on a list of times.

/** Deaths within this time count together. */
const WINDOW_MS = 60_000;
/** So many deaths within the window, and only a load by hand tries again. */
const MOST_CRASHES = 5;
const FIRST_DELAY_MS = 500;

/** The list with one more crash, less those that are too old to count. Times are monotonic milliseconds. */
export function noteCrash(crashes: readonly number[], nowMs = performance.now()): number[] {
  return [...crashes.filter((at) => nowMs - at < WINDOW_MS), nowMs];
}

/**
 * True when the model stays failed until someone asks by hand, however long that takes: old crashes
 * leave the list only when another one is noted.
 */
export function crashedTooOften(crashes: readonly number[]): boolean {
  return crashes.length >= MOST_CRASHES;
}

/** How long the next start waits: not at all after the first crash, then 0.5, 1, 2 seconds. */
export function crashDelayMs(crashes: readonly number[], nowMs = performance.now()): number {
  const recent = crashes.filter((at) => nowMs - at < WINDOW_MS);
  if (recent.length < 2) return 0;
  const delayMs = FIRST_DELAY_MS * 2 ** (recent.length - 2);
  return Math.max(0, recent[recent.length - 1]! + delayMs - nowMs);
}

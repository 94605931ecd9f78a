// What our figures must reach, as ratios to what the other contenders reached in the same run.

import { isCount, LOAD_ROWS } from "./rows.ts";
import type { Summary } from "./rows.ts";

/** Idle memory of our process with its children but for llama-server. */
const MEMORY_LIMIT_MB = 64;
const READY_LIMIT_MS = 300;
/** A dialect is a rewriting of the same events. */
const DIALECT_LIMIT_MS = 1;

/** A download's own memory: its buffers, whatever the file's size. */
const DOWNLOAD_MEMORY_MB = 80;

export interface Goal {
  readonly goal: string;
  /** Null where a part of it was not measured. */
  readonly reached: number | null;
  readonly bound: string;
  readonly passed: boolean | null;
}

export function judge(summary: Summary): Goal[] {
  const goals: Goal[] = [];
  for (const row of LOAD_ROWS) {
    const figure = `${row.name} ${row.stream ? "answers/s" : "requests/s"}`;
    goals.push(atLeast(`${figure}, ours / router`, ratioToRouter(summary, figure), 1.4));
  }
  goals.push(atMost("c1 p50 added, ours / router", addedRatio(summary), 0.5));
  goals.push(atMost("wrong answers, ours", wrongAnswers(summary), 0));
  goals.push(
    atMost("first token ms, Ollama's dialect - OpenAI's", dialectMs(summary), DIALECT_LIMIT_MS),
  );
  for (const figure of ["cold-tiny ms", "cold-large ms"]) {
    goals.push(atMost(`${figure}, ours / router`, ratioToRouter(summary, figure), 1.1));
  }
  goals.push(
    atMost("memory idle MB, ours", summary.value("memory idle MB", "ours"), MEMORY_LIMIT_MB),
  );
  for (const figure of ["ready ms", "ready first start ms"]) {
    goals.push(atMost(`${figure}, ours`, summary.value(figure, "ours"), READY_LIMIT_MS));
  }
  const seconds = "download 2 GB s";
  const tools = summary.value(seconds, "direct");
  goals.push(
    atMost(
      `${seconds}, ours / curl + sha256sum`,
      ratio(summary.value(seconds, "ours"), tools),
      1.1,
    ),
    atMost(
      "download memory MB, ours",
      summary.value("download memory MB", "ours"),
      DOWNLOAD_MEMORY_MB,
    ),
  );
  return goals;
}

function ratioToRouter(summary: Summary, figure: string): number | null {
  return ratio(summary.value(figure, "ours"), summary.value(figure, "router"));
}

function addedRatio(summary: Summary): number | null {
  const figure = "c1 p50 ms";
  const direct = summary.value(figure, "direct");
  const router = summary.value(figure, "router");
  const ours = summary.value(figure, "ours");
  if (direct === null || router === null || ours === null) return null;
  return ratio(ours - direct, router - direct);
}

function dialectMs(summary: Summary): number | null {
  const openai = summary.value("first-token openai ms", "ours");
  const ollama = summary.value("first-token ollama ms", "ours");
  return openai === null || ollama === null ? null : ollama - openai;
}

function ratio(above: number | null, below: number | null): number | null {
  return above === null || below === null ? null : above / below;
}

function wrongAnswers(summary: Summary): number | null {
  let sum: number | null = null;
  for (const figure of summary.figures.filter(isCount)) {
    const value = summary.value(figure, "ours");
    if (value !== null) sum = (sum ?? 0) + value;
  }
  return sum;
}

function atLeast(goal: string, reached: number | null, bound: number): Goal {
  const passed = reached === null ? null : reached >= bound;
  return { goal, reached, bound: `>= ${bound}`, passed };
}

function atMost(goal: string, reached: number | null, bound: number): Goal {
  const passed = reached === null ? null : reached <= bound;
  return { goal, reached, bound: `<= ${bound}`, passed };
}

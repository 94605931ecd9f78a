// One measurement of load by wrk, which checks every answer in load.lua.

import { join } from "node:path";
import { chatBody } from "./chat.ts";
import type { BenchModel } from "./models.ts";
import type { Tool } from "./tools.ts";
import type { LoadRow } from "./rows.ts";

export interface LoadOptions {
  readonly wrk: Tool;
  readonly model: BenchModel;
  readonly seconds: number;
  /** A connection for each answer, for a server that leaves no choice. */
  readonly freshConnections: boolean;
}

export interface LoadResult {
  /** Right answers only. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly right: number;
  /** Other than expected, cut off or later than ten seconds. */
  readonly wrong: number;
  /** The first wrong answer's status and beginning. */
  readonly sample: string | null;
}

/** Throws an Error where wrk itself fails. */
export async function measureLoad(
  url: string,
  row: LoadRow,
  options: LoadOptions,
): Promise<LoadResult> {
  const { wrk, model, seconds } = options;
  const script = join(import.meta.dirname ?? ".", "load.lua");
  const command = new Deno.Command(wrk.path, {
    // One thread: the machine's other cores belong to those who are measured.
    args: [
      ...["-t", "1", "-c", `${row.connections}`, "-d", `${seconds}s`, "--timeout", "10s"],
      ...["--latency", "-s", script, `${url}/v1/chat/completions`, "--"],
      ...[row.stream ? "stream" : "whole", chatBody(model.name, row.stream), model.sentence],
      options.freshConnections ? "close" : "keep",
    ],
    env: wrk.env,
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout((seconds + 30) * 1000),
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout);
  const line = /^bench (requests=.*)$/m.exec(text)?.[1];
  if (code !== 0 || line === undefined) {
    throw new Error(`Cannot measure "${url}": wrk ended with ${code} and said
${text}${new TextDecoder().decode(stderr)}`);
  }
  return readResult(line, /^bench sample (.*)$/m.exec(text)?.[1] ?? null);
}

function readResult(line: string, sample: string | null): LoadResult {
  const facts = new Map(
    line.split(" ").map((pair) => {
      const [name = "", value] = pair.split("=");
      return [name, Number(value)];
    }),
  );
  const right = fact("requests") - fact("wrong");
  return {
    perSecond: right / (fact("duration_us") / 1e6),
    p50Ms: fact("p50_us") / 1000,
    p99Ms: fact("p99_us") / 1000,
    right,
    wrong: fact("wrong") + fact("broken") + fact("timeout"),
    sample,
  };

  function fact(name: string): number {
    const value = facts.get(name);
    if (value === undefined || Number.isNaN(value)) throw new Error(`wrk did not say "${name}"`);
    return value;
  }
}

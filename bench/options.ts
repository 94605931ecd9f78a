// The bench's command line and the one environment variable that it reads.

import { parseArgs } from "node:util";
import { CONTENDER_NAMES, ROW_NAMES } from "./rows.ts";
import type { ContenderName } from "./rows.ts";

export interface BenchOptions {
  readonly rounds: number;
  /** Length of one measurement of load. */
  readonly seconds: number;
  readonly coldCycles: number;
  readonly rows: ReadonlySet<string>;
  readonly contenders: ReadonlySet<ContenderName>;
  /** No further round starts after this. */
  readonly limitMs: number;
  /** Leave programs on PATH alone and fetch private ones. */
  readonly privateTools: boolean;
  readonly strict: boolean;
  /** Further flags for every llama-server but ours, which has its own defaults. */
  readonly peerFlags: readonly string[];
  /** Path of llama-server; null = the one that the tests use. */
  readonly llamaServer: string | null;
}

export const USAGE = `deno task bench [FLAGS]
  --rounds N         rounds of all rows, 1 to 50 (5)
  --seconds N        length of one measurement of load, 1 to 60 (4)
  --cycles N         cold starts of each model, 1 to 100 (20)
  --rows A,B         of: ${ROW_NAMES.join(" ")}
  --contenders A,B   of: ${CONTENDER_NAMES.join(" ")}
  --limit MINUTES    start no further round after this (12)
  --quick            one round, one second, three cycles
  --private-tools    ignore wrk and nginx on PATH, fetch private ones
  --peer-flags="..." further llama-server flags for all but ours, such as "--no-warmup"
  --strict           exit 1 where a goal is missed
  ZOMBIE_BENCH_LLAMA_SERVER names the llama-server to use`;

/** Throws an Error with one line that says what is wrong. */
export function parseBenchOptions(args: readonly string[]): BenchOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: "boolean", short: "h", default: false },
      quick: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
      "private-tools": { type: "boolean", default: false },
      rounds: { type: "string" },
      seconds: { type: "string" },
      cycles: { type: "string" },
      limit: { type: "string" },
      "peer-flags": { type: "string", default: "" },
      rows: { type: "string" },
      contenders: { type: "string" },
    },
  });
  if (values.help) return null;
  return {
    rounds: number("rounds", 50) ?? (values.quick ? 1 : 5),
    seconds: number("seconds", 60) ?? (values.quick ? 1 : 4),
    coldCycles: number("cycles", 100) ?? (values.quick ? 3 : 20),
    rows: list("rows", ROW_NAMES),
    contenders: list("contenders", CONTENDER_NAMES),
    limitMs: (number("limit", 600) ?? 12) * 60_000,
    privateTools: values["private-tools"],
    strict: values.strict,
    peerFlags: values["peer-flags"].split(" ").filter((flag) => flag !== ""),
    llamaServer: Deno.env.get("ZOMBIE_BENCH_LLAMA_SERVER") ?? null,
  };

  function number(name: "rounds" | "seconds" | "cycles" | "limit", most: number): number | null {
    const text = values[name];
    if (text === undefined) return null;
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= most) return value;
    throw new Error(`Cannot read --${name} "${text}": a whole number from 1 to ${most} is needed`);
  }

  function list<T extends string>(name: "rows" | "contenders", known: readonly T[]): Set<T> {
    const text = values[name];
    if (text === undefined) return new Set(known);
    const chosen = new Set<T>();
    for (const word of text.split(",")) {
      const found = known.find((each) => each === word.trim());
      if (found === undefined) {
        throw new Error(`Cannot read --${name} "${word}": choose among ${known.join(", ")}`);
      }
      chosen.add(found);
    }
    return chosen;
  }
}

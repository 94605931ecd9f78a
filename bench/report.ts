// The figures of a run -> tables on stdout and one JSON file.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Goal } from "./goals.ts";
import type { MachineFacts } from "./machine.ts";
import type { Measuring } from "./measuring.ts";
import { print } from "./print.ts";
import { CONTENDER_NAMES } from "./rows.ts";
import type { Summary } from "./rows.ts";
import { formatNumber, formatTable } from "./table.ts";

/** Processes that were running at the start; above it the figures say little. */
const BUSY_LOAD = 1;

export interface Report {
  readonly startedAt: string;
  readonly tookSeconds: number;
  readonly roundsDone: number;
  readonly machine: MachineFacts;
  /** The command line of the run. */
  readonly args: readonly string[];
  readonly measuring: Measuring;
  readonly summary: Summary;
  readonly goals: readonly Goal[];
}

export function printReport(report: Report): void {
  const { machine, summary } = report;
  print(`${machine.cores} cores, ${machine.cpu}, ${machine.os}, kernel ${machine.kernel}`);
  print(`llama-server ${machine.llamaServer}; ${machine.wrk}; ${machine.nginx ?? "no nginx"}`);
  print(`${report.roundsDone} rounds in ${report.tookSeconds} s; medians, wrong answers added up`);
  if (machine.loadAtStart > BUSY_LOAD) {
    print(
      `Something else was running here, load ${formatNumber(machine.loadAtStart)}: measure again`,
    );
  }
  print();
  const measured = CONTENDER_NAMES.filter((name) =>
    summary.figures.some((figure) => summary.value(figure, name) !== null)
  );
  const rows = summary.figures.map((figure) => [
    figure,
    ...measured.map((name) => formatNumber(summary.value(figure, name))),
  ]);
  formatTable([["", ...measured], ...rows]).forEach((line) => print(line));
  print();
  const verdicts = report.goals.map(({ goal, reached, bound, passed }) => [
    goal,
    formatNumber(reached),
    bound,
    passed === null ? "not measured" : passed ? "pass" : "FAIL",
  ]);
  formatTable([["goal", "reached", "bound", ""], ...verdicts]).forEach((line) => print(line));
  for (const [where, sample] of Object.entries(report.measuring.wrongAnswers)) {
    print(`A wrong answer of ${where}: ${sample}`);
  }
}

/** Writes everything, raw rounds included, and returns the file's path. */
export async function writeReport(report: Report, folder: string): Promise<string> {
  const { measuring, summary, ...rest } = report;
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${report.startedAt.replaceAll(":", "-")}.json`);
  const data = {
    ...rest,
    instanceCommands: measuring.instanceCommands,
    medians: summary.toData(),
    wrongAnswers: measuring.wrongAnswers,
    samples: measuring.samples,
  };
  await writeFile(path, `${JSON.stringify(data, null, 2)}\n`);
  return path;
}

// One round of everything: who is asked what in which order. Keeps every single figure.

import { join } from "node:path";
import { askModel } from "./chat.ts";
import type { Contender, Running, StartOptions } from "./contenders/contender.ts";
import { DIALECTS, FIRST_TOKENS, firstTokenMs } from "./first_token.ts";
import { measureLoad } from "./load.ts";
import type { BenchModel } from "./models.ts";
import type { BenchOptions } from "./options.ts";
import { printProgress } from "./print.ts";
import { commandLine, gatewayMemoryMb, instancesBelow } from "./process_tree.ts";
import { LOAD_ROWS } from "./rows.ts";
import type { ContenderName, LoadRow, Sample } from "./rows.ts";
import type { Tool } from "./tools.ts";
import { pause, waitUntil } from "./waiting.ts";

/** After the last request or the start, until memory is called idle. */
const IDLE_MS = 2000;
/** Between two measurements, for connections to be taken down. */
const SETTLE_MS = 200;
const GONE_TIMEOUT_MS = 20_000;

export interface Participant {
  readonly contender: Contender;
  readonly running: Running;
}

export interface MeasuringOptions {
  readonly bench: BenchOptions;
  readonly wrk: Tool;
  readonly start: Omit<StartOptions, "folder">;
  /** The run's own folder. */
  readonly folder: string;
}

export class Measuring {
  readonly samples: Sample[] = [];
  /** What a wrong answer looked like, the first of each contender and row. */
  readonly wrongAnswers: Record<string, string> = {};
  /** How each one's llama-server was really started. */
  readonly instanceCommands: Partial<Record<ContenderName, string>> = {};
  readonly #options: MeasuringOptions;

  constructor(options: MeasuringOptions) {
    this.#options = options;
  }

  /** Starts one for the whole run; the caller disposes of it. */
  async start(contender: Contender): Promise<Participant> {
    const running = await contender.start({
      ...this.#options.start,
      folder: join(this.#options.folder, contender.name),
    });
    try {
      const { tiny, large } = this.#options.start.models;
      if (running.setUp !== null) {
        await running.setUp(tiny);
        if (this.#wants("cold-large")) await running.setUp(large);
      }
      await askModel(running.url, tiny);
      const instance = instancesBelow(running.instancesPid)[0]?.pid ?? running.instancesPid;
      this.instanceCommands[contender.name] = commandLine(instance).join(" ");
      await this.#loadOf({ contender, running }, LOAD_ROWS[1]!, 1);
    } catch (error) {
      await running[Symbol.asyncDispose]();
      throw error;
    }
    return { contender, running };
  }

  async round(participants: readonly Participant[], round: number): Promise<void> {
    if (this.#wants("ready") || this.#wants("memory")) await this.#starts(participants, round);
    for (const [index, row] of LOAD_ROWS.entries()) {
      if (!this.#wants(row.name)) continue;
      for (const participant of rotated(participants, round + index)) {
        await this.#load(participant, row, round);
      }
    }
    if (this.#wants("first-token")) await this.#firstTokens(participants, round);
    if (this.#wants("memory")) await this.#memoryAfterLoad(participants, round);
    const { tiny, large } = this.#options.start.models;
    if (this.#wants("cold-tiny")) await this.#cold("cold-tiny", tiny, participants, round);
    if (this.#wants("cold-large")) await this.#cold("cold-large", large, participants, round);
  }

  #wants(row: string): boolean {
    return this.#options.bench.rows.has(row);
  }

  #add(figure: string, contender: Contender, round: number, value: number): void {
    this.samples.push({ figure, contender: contender.name, round, value });
  }

  async #load({ contender, running }: Participant, row: LoadRow, round: number): Promise<void> {
    // The cold rows of the round before have left it unloaded.
    await askModel(running.url, this.#options.start.models.tiny);
    const result = await this.#loadOf({ contender, running }, row, this.#options.bench.seconds);
    const unit = row.stream ? "answers/s" : "requests/s";
    this.#add(`${row.name} ${unit}`, contender, round, result.perSecond);
    this.#add(`${row.name} p50 ms`, contender, round, result.p50Ms);
    this.#add(`${row.name} p99 ms`, contender, round, result.p99Ms);
    this.#add(`${row.name} wrong answers`, contender, round, result.wrong);
    if (result.sample !== null) {
      this.wrongAnswers[`${contender.name} ${row.name}`] ??= result.sample;
    }
    printProgress(
      `round ${round} ${row.name} ${contender.name}: ${result.perSecond.toFixed(0)} ${unit}, ` +
        `p50 ${result.p50Ms.toFixed(2)} ms, p99 ${result.p99Ms.toFixed(2)} ms, ` +
        `wrong ${result.wrong} of ${result.right + result.wrong}`,
    );
  }

  async #loadOf({ running }: Participant, row: LoadRow, seconds: number) {
    const { wrk, start } = this.#options;
    const result = await measureLoad(running.url, row, {
      wrk,
      seconds,
      model: start.models.tiny,
      freshConnections: row.stream && running.dropsStreams,
    });
    await pause(SETTLE_MS);
    return result;
  }

  /** Our dialects in turn: the others speak one. */
  async #firstTokens(participants: readonly Participant[], round: number): Promise<void> {
    const { tiny } = this.#options.start.models;
    for (const { contender, running } of participants) {
      if (contender.name !== "ours") continue;
      await askModel(running.url, tiny);
      for (let count = 0; count < FIRST_TOKENS / this.#options.bench.rounds; count++) {
        for (const dialect of rotated(DIALECTS, count)) {
          const tookMs = await firstTokenMs(running.url, dialect, tiny);
          this.#add(`first-token ${dialect.name} ms`, contender, round, tookMs);
        }
      }
      printProgress(`round ${round} first-token`);
    }
  }

  /** Starts each twice in a folder of its own: a first start, and one that finds the first's files. */
  async #starts(participants: readonly Participant[], round: number): Promise<void> {
    await using stack = new AsyncDisposableStack();
    const weighed: Participant[] = [];
    for (const { contender } of rotated(participants, round)) {
      const folder = join(this.#options.folder, `start-${round}-${contender.name}`);
      const first = await contender.start({ ...this.#options.start, folder });
      await first[Symbol.asyncDispose]();
      const running = stack.use(await contender.start({ ...this.#options.start, folder }));
      weighed.push({ contender, running });
      if (!this.#wants("ready")) continue;
      this.#add("ready first start ms", contender, round, first.readyMs);
      this.#add("ready ms", contender, round, running.readyMs);
    }
    if (!this.#wants("memory")) return;
    await pause(IDLE_MS);
    this.#weigh("memory idle MB", weighed, round);
  }

  async #memoryAfterLoad(participants: readonly Participant[], round: number): Promise<void> {
    await pause(IDLE_MS);
    this.#weigh("memory after load MB", participants, round);
  }

  #weigh(figure: string, participants: readonly Participant[], round: number): void {
    for (const { contender, running } of participants) {
      if (!running.isGateway) continue;
      this.#add(figure, contender, round, gatewayMemoryMb(running.pid));
    }
  }

  async #cold(
    row: string,
    model: BenchModel,
    participants: readonly Participant[],
    round: number,
  ): Promise<void> {
    const { tiny } = this.#options.start.models;
    for (const { running } of participants) {
      const loaded = instancesBelow(running.instancesPid).length > 0;
      if (running.unload !== null && loaded) await unload(running, tiny);
    }
    for (let cycle = 0; cycle < this.#cyclesOf(round); cycle++) {
      for (const participant of rotated(participants, round + cycle)) {
        const tookMs = await this.#coldAnswer(participant, model);
        if (tookMs !== null) this.#add(`${row} ms`, participant.contender, round, tookMs);
      }
    }
    printProgress(`round ${round} ${row}: ${this.#cyclesOf(round)} cycles`);
  }

  async #coldAnswer({ contender, running }: Participant, model: BenchModel) {
    if (contender.coldAnswer !== null) {
      const folder = join(this.#options.folder, contender.name);
      return await contender.coldAnswer(model, { ...this.#options.start, folder });
    }
    if (running.unload === null) return null;
    const tookMs = await askModel(running.url, model);
    await unload(running, model);
    return tookMs;
  }

  // All cycles together are spread evenly over the rounds, numbered from 1.
  #cyclesOf(round: number): number {
    const { coldCycles, rounds } = this.#options.bench;
    return Math.floor(round * coldCycles / rounds) - Math.floor((round - 1) * coldCycles / rounds);
  }
}

// Who says "unloaded" before the process is gone would let its end weigh on the next measurement.
async function unload(running: Running, model: BenchModel): Promise<void> {
  await running.unload?.(model);
  await waitUntil(() => instancesBelow(running.instancesPid).length === 0, {
    timeoutMs: GONE_TIMEOUT_MS,
    everyMs: 10,
    what: `the process of "${model.name}" to end`,
  });
  await pause(SETTLE_MS);
}

// Nobody is always first, on a machine that has just rested.
function rotated<T>(all: readonly T[], by: number): T[] {
  const from = by % Math.max(all.length, 1);
  return [...all.slice(from), ...all.slice(0, from)];
}

// What is counted while the server runs. Whoever does something tells it here; nothing depends on it.
// What can be looked at when it is asked for is metrics_text.ts's.

import type { LoadResult, OrchestratorObserver } from "../orchestrator/observer.ts";
import { Counter, Histogram } from "./metric.ts";
import type { RequestFigures, RequestObserver } from "./requests.ts";

/** From an answer out of the cache to an hour of writing. */
const ANSWER_SECONDS = [
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
  300,
  3_600,
];
const WAIT_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const LOAD_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** One HTTP request whose answer is over. */
export interface EndedRequest {
  route: string;
  /** Null where none was asked. */
  model: string | null;
  status: number;
  seconds: number;
}

export class Metrics implements RequestObserver, OrchestratorObserver {
  readonly #requests = new Counter({
    name: "zombiecoder_requests_total",
    help: "Answered HTTP requests, by route, model (empty where none was asked) and status.",
    labels: ["route", "model", "code"],
  });
  readonly #durations = new Histogram({
    name: "zombiecoder_request_duration_seconds",
    help: "From the arrival of a request to the last byte of its answer.",
    labels: ["route"],
    bounds: ANSWER_SECONDS,
  });
  readonly #firstBytes = new Histogram({
    name: "zombiecoder_time_to_first_byte_seconds",
    help: "From the arrival of a request for a model to the first byte of its answer.",
    labels: ["model"],
    bounds: WAIT_SECONDS,
  });
  readonly #waits = new Histogram({
    name: "zombiecoder_queue_wait_seconds",
    help: "From the arrival of a request to its turn: its model's load and the requests before it.",
    labels: ["model"],
    bounds: WAIT_SECONDS,
  });
  readonly #promptTokens = new Counter({
    name: "zombiecoder_prompt_tokens_total",
    help: "Tokens of prompts that were answered.",
    labels: ["model"],
  });
  readonly #completionTokens = new Counter({
    name: "zombiecoder_completion_tokens_total",
    help: "Tokens that models wrote.",
    labels: ["model"],
  });
  readonly #loads = new Counter({
    name: "zombiecoder_loads_total",
    help: "Loads of models: loaded, failed, or cancelled since nobody waited any more.",
    labels: ["model", "result"],
  });
  readonly #loadSeconds = new Histogram({
    name: "zombiecoder_load_duration_seconds",
    help: "From the start of a load to a model that answers.",
    bounds: LOAD_SECONDS,
  });
  readonly #evictions = new Counter({
    name: "zombiecoder_evictions_total",
    help: "Models that were unloaded to make room for another one.",
    labels: ["model"],
  });
  readonly #crashes = new Counter({
    name: "zombiecoder_crashes_total",
    help: "Processes of models that ended by themselves.",
    labels: ["model"],
  });

  requestEnded({ route, model, status, seconds }: EndedRequest): void {
    this.#requests.add([route, model ?? "", String(status)]);
    this.#durations.observe([route], seconds);
  }

  modelAnswered({ model, waitMs, firstByteMs, tokens }: RequestFigures): void {
    if (model === null) return;
    const labels = [model];
    if (waitMs !== null) this.#waits.observe(labels, waitMs / 1_000);
    if (firstByteMs !== null) this.#firstBytes.observe(labels, firstByteMs / 1_000);
    this.#promptTokens.add(labels, tokens?.promptTokens ?? 0);
    this.#completionTokens.add(labels, tokens?.completionTokens ?? 0);
  }

  loadEnded(model: string, { result, ms }: LoadResult): void {
    this.#loads.add([model, result]);
    if (result === "loaded") this.#loadSeconds.observe([], ms / 1_000);
  }

  evicted(model: string): void {
    this.#evictions.add([model]);
  }

  crashed(model: string): void {
    this.#crashes.add([model]);
  }

  text(): string {
    const counted = [
      ...[this.#requests, this.#durations, this.#firstBytes, this.#waits],
      ...[this.#promptTokens, this.#completionTokens, this.#loads, this.#loadSeconds],
      ...[this.#evictions, this.#crashes],
    ];
    return counted.map((each) => each.text()).join("");
  }
}

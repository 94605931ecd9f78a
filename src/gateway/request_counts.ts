// Counts every request that came in, on whatever port, when its answer is over: refused ones as well.

import type { GatewayEnv } from "./gateway_env.ts";
import type { Metrics } from "./metrics.ts";
import { RouteLabels } from "./route_labels.ts";

/** All requests to doors: what is asked there is llama-server's. */
const DOOR = "door";
/** A client that left before there was an answer. */
const NO_ANSWER = 499;

export interface CountedRequest {
  request: Request;
  env: GatewayEnv["Bindings"];
  isDoor: boolean;
  /** `performance.now()` of its arrival. */
  startMs: number;
}

export class RequestCounts {
  readonly #metrics: Pick<Metrics, "requestEnded">;
  readonly #labels: RouteLabels;

  constructor(metrics: Pick<Metrics, "requestEnded">, paths: readonly string[]) {
    this.#metrics = metrics;
    this.#labels = new RouteLabels(paths);
  }

  /** Passes the answer on, and counts it when the last byte is out. */
  count(
    answer: Response | Promise<Response>,
    { request, env, isDoor, startMs }: CountedRequest,
  ): Response | Promise<Response> {
    const { url } = request;
    let status = NO_ANSWER;
    const note = (response: Response) => {
      status = response.status;
      return response;
    };
    const end = () =>
      this.#metrics.requestEnded({
        route: isDoor ? DOOR : this.#labels.of(pathOf(url)),
        model: env.model ?? null,
        status,
        seconds: (performance.now() - startMs) / 1_000,
      });
    env.info.completed.then(end, end);
    return answer instanceof Promise ? answer.then(note) : note(answer);
  }
}

function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const query = url.indexOf("?", start);
  return url.slice(start, query < 0 ? undefined : query);
}

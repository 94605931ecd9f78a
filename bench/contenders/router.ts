// llama-server's own router mode: the peer that, like us, loads a model when it is asked for.

import { ask } from "../chat.ts";
import type { BenchModel } from "../models.ts";
import { waitUntil } from "../waiting.ts";
import type { Contender, Running, StartOptions } from "./contender.ts";
import { startLlamaServer } from "./direct.ts";

const UNLOAD_TIMEOUT_MS = 20_000;

export const router: Contender = { name: "router", start: startRouter, coldAnswer: null };

async function startRouter(options: StartOptions): Promise<Running> {
  const running = await startLlamaServer(options, ["--models-dir", options.models.folder]);
  return {
    ...running,
    isGateway: true,
    dropsStreams: false,
    unload: (model) => unload(running.url, model),
  };
}

async function unload(url: string, model: BenchModel): Promise<void> {
  const answer = await ask(`${url}/models/unload`, { method: "POST", json: { model: model.name } });
  if (answer.status !== 200) {
    throw new Error(
      `Cannot unload "${model.name}": the router said ${answer.status} ${answer.body}`,
    );
  }
  await waitUntil(() => isUnloaded(url, model), {
    timeoutMs: UNLOAD_TIMEOUT_MS,
    everyMs: 10,
    what: `the router to unload "${model.name}"`,
  });
}

async function isUnloaded(url: string, model: BenchModel): Promise<boolean> {
  const list: { data: { id: string; status: { value: string } }[] } = JSON.parse(
    (await ask(`${url}/models`)).body,
  );
  return list.data.find((each) => each.id === model.name)?.status.value === "unloaded";
}

// GET /metrics in Prometheus' text format: what was counted, and what is so now.

import { type Context, Hono } from "@hono/hono";

import { messageOf } from "../errors.ts";
import type { MemoryPools } from "../orchestrator/memory_need.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { Counter, gaugeText } from "./metric.ts";
import { stateOf } from "./model_rows.ts";
import type { Parts } from "./parts.ts";

const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export function metricsRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/metrics", (c) => answer(parts, c));
  return routes;
}

async function answer(parts: Parts, context: Context<GatewayEnv>): Promise<Response> {
  try {
    // Readings come by themselves only while someone watches.
    parts.hardware.update(await parts.host.call("reading", { disk: false }));
  } catch (error) {
    // All the rest can be told all the same.
    parts.log.debug("No reading for the metrics", { reason: messageOf(error) });
  }
  return context.body(metricsText(parts), 200, {
    "content-type": CONTENT_TYPE,
    "cache-control": "no-store",
  });
}

function metricsText(parts: Parts): string {
  return serverText(parts) + parts.metrics.text() + modelsText(parts) + memoryText(parts) +
    downloadsText(parts);
}

function serverText(parts: Parts): string {
  const { build } = parts.runtime();
  const llamaCpp = build === null ? "" : String(build);
  const startSeconds = performance.timeOrigin / 1_000;
  return gaugeText({
    name: "zombiecoder_build_info",
    help: "1, with the version of this server and the build of its llama.cpp.",
    labels: ["version", "llama_cpp_build"],
  }, [[[parts.version, llamaCpp], 1]]) +
    gaugeText({
      name: "zombiecoder_uptime_seconds",
      help: "Since this server started.",
    }, [[[], performance.now() / 1_000]]) +
    gaugeText({
      name: "process_start_time_seconds",
      help: "When this server started, in seconds since 1970.",
    }, [[[], startSeconds]]) +
    gaugeText({
      name: "process_resident_memory_bytes",
      help: "Memory of this program, without the processes of its models.",
    }, [[[], Deno.memoryUsage().rss]]);
}

function modelsText(parts: Parts): string {
  const states = new Map<string, number>();
  for (const model of parts.library.list()) {
    const state = stateOf(parts, model);
    states.set(state, (states.get(state) ?? 0) + 1);
  }
  const queued = new Map<string, number>();
  const answering = new Map<string, number>();
  for (const entry of parts.orchestrator.entries()) {
    const { id } = entry.model;
    // A model may have an instance for each of its modes.
    queued.set(id, (queued.get(id) ?? 0) + entry.queued);
    answering.set(id, (answering.get(id) ?? 0) + entry.leases);
  }
  return gaugeText({
    name: "zombiecoder_models",
    help: "Installed models by state.",
    labels: ["state"],
  }, samplesOf(states)) +
    gaugeText({
      name: "zombiecoder_queue_length",
      help: "Requests that wait for their turn, by model.",
      labels: ["model"],
    }, samplesOf(queued)) +
    gaugeText({
      name: "zombiecoder_requests_in_progress",
      help: "Requests that a model works on, by model.",
      labels: ["model"],
    }, samplesOf(answering));
}

function memoryText(parts: Parts): string {
  const { totalBytes, budgetBytes, availableBytes } = parts.hardware.snapshot();
  const pools = new Map<string, MemoryPools>();
  for (const entry of parts.orchestrator.entries()) {
    const taken = parts.orchestrator.poolsOf(entry);
    if (taken === null) continue;
    const before = pools.get(entry.model.id) ?? { ramBytes: 0, vramBytes: 0 };
    pools.set(entry.model.id, {
      ramBytes: before.ramBytes + taken.ramBytes,
      vramBytes: before.vramBytes + taken.vramBytes,
    });
  }
  return gaugeText({
    name: "zombiecoder_model_memory_bytes",
    help: "Memory that a loaded model takes, by where it is.",
    labels: ["model", "memory"],
  }, [
    ...[...pools].map(([id, { ramBytes }]) => [[id, "ram"], ramBytes] as const),
    ...[...pools].map(([id, { vramBytes }]) => [[id, "vram"], vramBytes] as const),
  ]) +
    gaugeText({
      name: "zombiecoder_memory_budget_bytes",
      help: "Memory that all models together may take.",
    }, [[[], budgetBytes]]) +
    gaugeText({
      name: "zombiecoder_memory_available_bytes",
      help: "Memory of this machine that can be had without swapping.",
    }, [[[], availableBytes]]) +
    gaugeText({
      name: "zombiecoder_memory_size_bytes",
      help: "Memory of this machine, or what of it this program may use.",
    }, [[[], totalBytes]]);
}

function downloadsText({ downloads }: Parts): string {
  const states = new Map<string, number>();
  for (const { state } of downloads.list()) states.set(state, (states.get(state) ?? 0) + 1);
  const bytes = new Counter({
    name: "zombiecoder_downloaded_bytes_total",
    help: "Bytes of models that came from the Hub.",
  });
  bytes.add([], downloads.receivedBytes);
  return bytes.text() + gaugeText({
    name: "zombiecoder_downloads",
    help: "Downloads by state.",
    labels: ["state"],
  }, samplesOf(states));
}

function samplesOf(counts: ReadonlyMap<string, number>): [values: string[], value: number][] {
  return [...counts].map(([label, count]) => [[label], count]);
}

// Clients that leave, in every phase of a request: what is computed for nobody must end. When it
// ended is told by llama-server's own log; facts and choices are in CONTRIBUTING.md.

import { equal, ok } from "node:assert/strict";
import type { RequestRow } from "../src/api_types.ts";
import { rowOf } from "./support/chat.ts";
import { type HeavyServer, heavyServer, unloadedHeavyServer } from "./support/heavy_server.ts";
import { isAlive, modelProcesses } from "./support/model_processes.ts";
import { RawClient, type RawPost } from "./support/raw_client.ts";
import { type ServerProcess, until } from "./support/server_process.ts";

/** One small read, one that is not, and many. */
const BODY_SIZES = [60, 2_000, 1_000_000];

const COMPLETION: RawPost = {
  path: "/v1/completions",
  body: { model: "heavy", prompt: "hi" },
};
const STREAM: RawPost = {
  path: "/v1/completions",
  body: { model: "heavy", prompt: "hi", stream: true },
};
/** A short body whose prompt takes many seconds: see heavy_server.ts. */
const LONG_PROMPT: RawPost = {
  path: "/generate",
  body: { model_id: "heavy", prompt: "x", stream: true },
};
const LONG_PROMPT_WHOLE: RawPost = {
  path: "/generate",
  body: { model_id: "heavy", prompt: "x" },
};

/** llama-server looks for a client that it sends nothing to once in this time. */
const INSTANCE_POLL_MS = 1_000;
/** Until a silent client is missed: two looks and the time that they take. */
const NOTICE_MS = 500;

Deno.test("Deno.serve does not tell of a client that leaves after a body of 2 kB", async () => {
  const told = new Map<number, boolean>();
  for (const sizeBytes of [60, 2_000]) {
    const arrived = Promise.withResolvers<Request>();
    const answer = Promise.withResolvers<Response>();
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        await request.arrayBuffer();
        arrived.resolve(request);
        return await answer.promise;
      },
    );
    const client = await RawClient.posting(server.addr.port, { path: "/", body: {}, sizeBytes });
    const { signal } = await arrived.promise;
    const left = Promise.withResolvers<boolean>();
    signal.addEventListener("abort", () => left.resolve(true));
    client.leave();
    // It is told at once where it is told; only a busy computer takes longer.
    const timer = setTimeout(() => left.resolve(false), sizeBytes === 60 ? 10_000 : 1_000);
    told.set(sizeBytes, await left.promise);
    clearTimeout(timer);
    answer.resolve(new Response());
  }
  equal(told.get(60), true, "not even after a body of 60 bytes");
  // When this fails, Deno tells: `Departures` and the host's `departed` are not needed any more.
  equal(told.get(2_000), false, "Deno.serve tells now");
});

Deno.test("a client that leaves a stream stops its generation within 100 ms", async () => {
  await using heavy = await heavyServer();
  for (const sizeBytes of BODY_SIZES) {
    await atMost(
      100,
      () => leave(heavy, { post: { ...STREAM, sizeBytes }, answered: true }),
    );
    await isCancelled(heavy.server);
  }
});

Deno.test("a client that leaves in prefill stops it within llama-server's second and one batch", async () => {
  await using heavy = await heavyServer();
  let batchMs = Infinity;
  await atMost(1_000, async () => batchMs = await measureBatch(heavy));
  for (const post of [LONG_PROMPT, LONG_PROMPT_WHOLE]) {
    for (const sizeBytes of BODY_SIZES) {
      const limitMs = INSTANCE_POLL_MS + batchMs + NOTICE_MS;
      await atMost(
        limitMs,
        () => leave(heavy, { post: { ...post, sizeBytes } }),
      );
      await isCancelled(heavy.server);
    }
  }
});

Deno.test("a client that leaves an answer that is not streamed stops it within llama-server's second", async () => {
  await using heavy = await heavyServer();
  for (const sizeBytes of BODY_SIZES) {
    await atMost(
      INSTANCE_POLL_MS + NOTICE_MS,
      () => leave(heavy, { post: { ...COMPLETION, sizeBytes } }),
    );
    await isCancelled(heavy.server);
  }
});

Deno.test("a load that nobody waits for any more is given up and its process ends at once", async () => {
  await using server = await unloadedHeavyServer();
  for (const sizeBytes of BODY_SIZES) {
    await atMost(NOTICE_MS, async () => {
      const { client, pid } = await stopInLoad(server, { ...COMPLETION, sizeBytes });
      const leftMs = performance.now();
      client.leave();
      await until(() => !isAlive(pid));
      const goneMs = performance.now() - leftMs;
      await until(async () => (await rowOf(server, "heavy")).state === "stopped");
      await isCancelled(server);
      return goneMs;
    });
  }
});

Deno.test("a load goes on as long as one client waits for it", async () => {
  await using server = await unloadedHeavyServer();
  const short = { ...COMPLETION, body: { ...COMPLETION.body, max_tokens: 1 } };
  const { client, pid } = await stopInLoad(server, short);
  using stays = client;
  using leaves = await RawClient.posting(server.port, COMPLETION);
  await until(async () => (await rowOf(server, "heavy")).queued === 2);
  leaves.leave();
  await until(async () => (await rowOf(server, "heavy")).queued === 1);
  Deno.kill(pid, "SIGCONT");
  equal((await stays.answer()).status, 200);
  equal((await rowOf(server, "heavy")).pid, pid);
});

Deno.test("a client that leaves the queue behind another request is out of it at once", async () => {
  await using heavy = await heavyServer();
  const { server, log } = heavy;
  let full: FullInstance | null = await fillInstance(heavy);
  for (const sizeBytes of BODY_SIZES) {
    for (const post of [COMPLETION, STREAM]) {
      await atMost(NOTICE_MS, async () => {
        using client = await RawClient.posting(server.port, { ...post, sizeBytes });
        await until(async () => (await rowOf(server, "heavy")).queued === 1);
        const leftMs = performance.now();
        client.leave();
        await until(async () => (await rowOf(server, "heavy")).queued === 0);
        const outMs = performance.now() - leftMs;
        await isCancelled(server);
        return outMs;
      });
    }
  }
  // What waited in the process for nobody does not hold up who comes next for long.
  await atMost(2 * INSTANCE_POLL_MS + NOTICE_MS, async () => {
    const { answered, task, ahead } = full ?? await fillInstance(heavy);
    full = null;
    for (const client of ahead) client.leave();
    await until(async () => (await rowOf(server, "heavy")).leases === 1);
    answered.leave();
    await log.stopped(task);
    const freeMs = performance.now();
    const next = await server.post("/v1/completions", { ...COMPLETION.body, max_tokens: 1 });
    await next.body?.cancel();
    equal(next.status, 200);
    return performance.now() - freeMs;
  });
});

Deno.test("beside another stream a client that leaves frees its slot if it was streamed, else when the stream ends", async () => {
  await using heavy = await heavyServer({ parallel: 4 });
  const { server, log } = heavy;
  await atMost(200, async () => {
    const from = log.length;
    using _stays = await RawClient.posting(server.port, STREAM);
    await log.begun(from);
    return await leave(heavy, { post: STREAM, answered: true });
  });

  // llama-server begins its second anew with each word of the other stream and never looks.
  await atMost(INSTANCE_POLL_MS + NOTICE_MS, async () => {
    await until(async () => (await rowOf(server, "heavy")).leases === 0);
    const before = log.length;
    using stays = await RawClient.posting(server.port, STREAM);
    const staying = await log.begun(before);
    const from = log.length;
    using leaves = await RawClient.posting(server.port, { ...COMPLETION, sizeBytes: 2_000 });
    const leaving = await log.begun(from);
    leaves.leave();
    await until(async () => (await rowOf(server, "heavy")).leases === 1);
    await isCancelled(server);
    stays.leave();
    const streamEnd = await log.stopped(staying);
    return (await log.stopped(leaving)).atMs - streamEnd.atMs;
  });
});

Deno.test("X-Conversation-Id does not keep a generation going for a client that left", async () => {
  await using heavy = await heavyServer();
  const post = { ...STREAM, headers: { "x-conversation-id": "talk-1" } };
  await atMost(100, () => leave(heavy, { post, answered: true }));
});

interface Leaving {
  post: RawPost;
  /** Leaves when the answer has begun; else as soon as a slot works on it. */
  answered?: boolean;
}

interface FullInstance {
  /** Has the slot, for the task of this number. */
  answered: RawClient;
  task: string;
  /** Wait in the process: who comes after them waits in the gateway. */
  ahead: RawClient[];
}

async function fillInstance({ server, log }: HeavyServer): Promise<FullInstance> {
  const from = log.length;
  const answered = await RawClient.posting(server.port, STREAM);
  const task = await log.begun(from);
  const ahead = await Promise.all([1, 2].map(() => RawClient.posting(server.port, COMPLETION)));
  await until(async () => (await rowOf(server, "heavy")).leases === 3);
  return { answered, task, ahead };
}

/** Milliseconds from a client's leaving to the end of the work on its request. */
async function leave({ server, log }: HeavyServer, leaving: Leaving): Promise<number> {
  const from = log.length;
  using client = await RawClient.posting(server.port, leaving.post);
  const task = await log.begun(from);
  if (leaving.answered) await client.readUntil("data: ");
  const leftMs = performance.now();
  client.leave();
  return (await log.stopped(task)).atMs - leftMs;
}

/** The best of three: what else the machine does must not fail a test. */
async function atMost(limitMs: number, measure: () => Promise<number>): Promise<void> {
  const measured: number[] = [];
  while (measured.length < 3) {
    const ms = await measure();
    measured.push(Math.round(ms));
    if (ms <= limitMs) return;
  }
  ok(false, `${measured.join(", ")} ms, and ${limitMs} are allowed`);
}

/**
 * A client that waits for a load, and the process, which stays in its load however quick the machine
 * is: it is stopped, and hears neither its stdin nor SIGTERM.
 */
async function stopInLoad(
  server: ServerProcess,
  post: RawPost,
): Promise<{ client: RawClient; pid: number }> {
  for (let tries = 1;; tries++) {
    const client = await RawClient.posting(server.port, post);
    const { pid } = await until(() => modelProcesses(server.home)[0]);
    Deno.kill(pid, "SIGSTOP");
    // It may have said just before that it is ready.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { state } = await rowOf(server, "heavy");
    if (state === "loading") return { client, pid };
    client.leave();
    Deno.kill(pid, "SIGCONT");
    ok(tries < 5, `the load was over ${tries} times before it could be stopped: ${state}`);
    const unloaded = await server.post("/admin/models/heavy/unload", {});
    equal(unloaded.status, 200, await unloaded.text());
    await until(async () => (await rowOf(server, "heavy")).state === "stopped");
  }
}

/** The request that ended last did so because its client left. */
async function isCancelled(server: ServerProcess): Promise<void> {
  const row = await until(async () => {
    const rows = await server.json<RequestRow[]>("/admin/requests");
    return rows.find(({ total_ms }) => total_ms !== null);
  });
  equal(row.state, "cancelled", JSON.stringify(row));
}

/** Milliseconds that this machine takes for the prompt batch that the placement chose. */
async function measureBatch({ server, log }: HeavyServer): Promise<number> {
  const { command } = await server.json<{ command: string[] }>("/admin/models/heavy/command");
  const batchTokens = Number(command[command.indexOf("-b") + 1]);
  const from = log.length;
  const answer = await server.post("/v1/completions", {
    model: "heavy",
    prompt: "x ".repeat(200),
    max_tokens: 1,
  });
  const { timings } = await answer.json();
  await log.stopped(await log.begun(from));
  return batchTokens * timings.prompt_ms / timings.prompt_n;
}

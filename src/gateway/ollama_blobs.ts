// HEAD and POST /api/blobs/:digest: files that a client sends to make a model of. Never held in
// memory, never offered before they are made into one.

import { type Context, Hono } from "@hono/hono";
import { AppError } from "../errors.ts";
import type { BlobStore } from "../models/blob_store.ts";
import { StallTimer } from "../stall_timer.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { BODY_STALL_MS } from "./json_body.ts";
import type { Parts } from "./parts.ts";

type BlobContext = Context<GatewayEnv, "/api/blobs/:digest">;

export function ollamaBlobRoutes(
  parts: Parts,
  { blobs }: { blobs: BlobStore },
): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  // Hono answers HEAD by the GET route, and Ollama has no other.
  routes.on(["HEAD", "GET"], "/api/blobs/:digest", async (c) => {
    if (await blobs.has(c.req.param("digest"))) return c.body(null, 200);
    return c.body(null, 404);
  });
  routes.post("/api/blobs/:digest", (c) => receive(parts, { context: c, blobs }));
  return routes;
}

async function receive(
  parts: Parts,
  { context, blobs }: { context: BlobContext; blobs: BlobStore },
): Promise<Response> {
  const digest = context.req.param("digest");
  if (await blobs.has(digest)) {
    await context.req.raw.body?.cancel();
    return context.body(null, 200);
  }
  const length = context.req.header("content-length");
  await blobs.receive(digest, chunksOf(context.req.raw), {
    sizeBytes: length === undefined ? null : Number(length),
    async freeBytes() {
      return (await parts.host.call("reading", { disk: true })).disk_free_bytes;
    },
  });
  return context.body(null, 201);
}

/** The body as it comes. A client that leaves or falls silent is an error. */
async function* chunksOf({ body }: Request): AsyncIterable<Uint8Array> {
  if (body === null) return;
  const reader = body.getReader();
  let stalled = false;
  using timer = new StallTimer(BODY_STALL_MS, () => {
    stalled = true;
    // It ends the read that is waited for.
    void reader.cancel().catch(() => {});
  });
  try {
    for (;;) {
      timer.begin();
      const { done, value } = await reader.read().catch((cause) => {
        throw new AppError("cancelled", "The client left before its file was complete", { cause });
      });
      if (stalled) throw new AppError("body_stalled", "Cannot read the file: nothing more came");
      if (done) return;
      // The disk may take its time.
      timer.pause();
      yield value;
    }
  } finally {
    void reader.cancel().catch(() => {});
  }
}

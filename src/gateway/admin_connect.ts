// /admin/connect: what to write into other programs so that they ask this server.

import { Hono } from "@hono/hono";
import type { ConnectAnswer } from "../api_types.ts";
import { KEY_PLACE, TOOLS } from "../connect_tools.ts";
import type { Model } from "../models/model.ts";
import { findModel } from "./find_model.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { stateOf } from "./model_rows.ts";
import type { Parts } from "./parts.ts";

export function connectRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/connect", async (c) => {
    const wanted = c.req.query("model") ?? "";
    // Just started, the headers of new files are still being read.
    await parts.library.upToDate();
    const { id: model } = wanted === "" ? usualModel(parts) : await findModel(parts, wanted);
    // Where the caller has reached us, others on the same machine will as well.
    const address = new URL(c.req.url).origin;
    const needsKey = parts.keys.list().length > 0;
    const connection = { address, model, needsKey };
    const answer: ConnectAnswer = {
      address,
      model,
      needs_key: needsKey,
      key_place: KEY_PLACE,
      tools: TOOLS.map(({ sendsKey, keyIn, text, ...tool }) => ({
        ...tool,
        sends_key: sendsKey,
        key_in: keyIn,
        text: text(connection),
      })),
    };
    return c.json(answer);
  });
  return routes;
}

/** One that is in memory, else the first of the user's own. */
function usualModel(parts: Parts): Model {
  const models = parts.library.list();
  const own = models.filter(({ builtin, isMissing, facts }) =>
    !builtin && !isMissing && facts !== null && facts.capabilities.includes("chat")
  );
  // The built-in test model is always there, and the last of the list.
  return own.find((model) => stateOf(parts, model) === "ready") ?? own[0] ?? models.at(-1)!;
}

// `/`: the page for a browser, Ollama's words for its clients; and the files that the page is made of.
// No state, no secrets: they are shown without a key. What there is, is page_files.ts's.

import { type Context, Hono } from "@hono/hono";

import { AppError } from "../errors.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { PageAnswers } from "./page_answers.ts";

const HEADERS = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
};

export function pageRoutes(): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  let answers: Promise<PageAnswers> | null = null;
  routes.get("/", (c) => {
    c.header("vary", "Accept");
    return wantsHtml(c) ? file(c, "/") : c.text("Ollama is running", 200, HEADERS);
  });
  routes.get("/static/:file{.+}", (c) => file(c, c.req.path));
  routes.get("/lib/:file{.+}", (c) => file(c, c.req.path));
  return routes;

  async function file(context: Context<GatewayEnv>, address: string): Promise<Response> {
    // Loaded when somebody first asks: an idle server holds none of it.
    answers ??= import("./page_answers.ts").then(({ PageAnswers }) => new PageAnswers());
    const answer = await (await answers).answer(context.req.raw, address);
    if (answer === null) {
      throw new AppError("route_not_found", 'Cannot find this file. The page is at "/"');
    }
    for (const [name, value] of Object.entries(HEADERS)) answer.headers.set(name, value);
    return answer;
  }
}

/** Only who names HTML gets it: curl and programs send any type. */
function wantsHtml(c: Context<GatewayEnv>): boolean {
  return c.req.header("accept")?.toLowerCase().includes("text/html") ?? false;
}

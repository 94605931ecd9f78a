// `/`: what this is, for a browser and for programs that ask Ollama's way. No state, no secrets: it is
// shown without a key.

import { type Context, Hono } from "@hono/hono";

import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";

const HEADERS = {
  // No script, nothing from anywhere, in no frame.
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
  "vary": "Accept",
};

export function pageRoutes({ version }: Pick<Parts, "version">): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/", (c) => {
    if (!wantsHtml(c)) return c.text("Ollama is running", 200, HEADERS);
    return c.html(pageText({ version, port: c.env.localPort }), 200, HEADERS);
  });
  return routes;
}

/** Only who names HTML gets it: curl and programs send any type. */
function wantsHtml(c: Context<GatewayEnv>): boolean {
  return c.req.header("accept")?.toLowerCase().includes("text/html") ?? false;
}

function pageText({ version, port }: { version: string; port: number }): string {
  const address = `http://127.0.0.1:${port}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>ZombieCoder Local AI</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
pre { padding: 1rem; overflow-x: auto; border: 1px solid; border-radius: .5rem; }
</style>
</head>
<body>
<main>
<h1>ZombieCoder Local AI</h1>
<p>This server answers with language models that run on this machine. A model starts when the first
request names it, and leaves memory when nobody used it for a while. Version ${version}.</p>
<h2>Try it</h2>
<p>The built-in test model needs no download:</p>
<pre><code>curl -d '{"model_id":"hello","prompt":"hi"}' ${address}/generate</code></pre>
<p>Programs that speak OpenAI's API use <code>${address}/v1</code> as their base URL.</p>
<h2>Look</h2>
<ul>
<li><a href="/docs">/docs</a>: all that it answers, to read and to try</li>
<li><a href="/health">/health</a>: it runs</li>
<li><a href="/metrics">/metrics</a>: what it did so far, for Prometheus</li>
<li><a href="/admin/models">/admin/models</a>: the models on this machine, each stopped, loading, ready, stopping or failed</li>
<li><a href="/admin/system">/admin/system</a>: this machine and its llama.cpp</li>
<li><a href="/admin/requests">/admin/requests</a>: requests now and lately</li>
</ul>
</main>
</body>
</html>
`;
}

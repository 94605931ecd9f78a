// Ollama's dialect: its routes by group, and a reason for what is not there.

import { Hono } from "@hono/hono";
import type { GatewayEnv } from "./gateway_env.ts";
import type { OllamaParts } from "./ollama_call.ts";
import { ollamaChatRoutes } from "./ollama_chat.ts";
import { SettingsCache } from "./ollama_defaults.ts";
import { ollamaEmbedRoutes } from "./ollama_embed.ts";
import { ollamaGenerateRoutes } from "./ollama_generate.ts";
import type { Parts } from "./parts.ts";

export function ollamaRoutes(given: Parts): Hono<GatewayEnv> {
  const parts: OllamaParts = { ...given, settings: new SettingsCache(given.registry) };
  const routes = new Hono<GatewayEnv>();
  routes.route("/", ollamaGenerateRoutes(parts));
  routes.route("/", ollamaChatRoutes(parts));
  routes.route("/", ollamaEmbedRoutes(parts));
  return routes;
}

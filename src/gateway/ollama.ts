// Ollama's dialect: its routes by group, and a reason for what is not there.

import { Hono } from "@hono/hono";
import { BlobStore } from "../models/blob_store.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { ollamaBlobRoutes } from "./ollama_blobs.ts";
import { ollamaChatRoutes } from "./ollama_chat.ts";
import { ollamaCreateRoutes } from "./ollama_create.ts";
import { ollamaEmbedRoutes } from "./ollama_embed.ts";
import { ollamaGenerateRoutes } from "./ollama_generate.ts";
import { ollamaManageRoutes } from "./ollama_manage.ts";
import { ollamaModelRoutes } from "./ollama_models.ts";
import { ollamaPullRoutes } from "./ollama_pull.ts";
import { unsupportedRoutes } from "./ollama_refusals.ts";
import type { ServingParts } from "./request_defaults.ts";

export function ollamaRoutes(parts: ServingParts): Hono<GatewayEnv> {
  const blobs = new BlobStore(parts.config().home);
  const routes = new Hono<GatewayEnv>();
  routes.route("/", ollamaGenerateRoutes(parts));
  routes.route("/", ollamaChatRoutes(parts));
  routes.route("/", ollamaEmbedRoutes(parts));
  routes.route("/", ollamaModelRoutes(parts));
  routes.route("/", ollamaManageRoutes(parts));
  routes.route("/", ollamaCreateRoutes({ ...parts, blobs }));
  routes.route("/", ollamaBlobRoutes(parts, { blobs }));
  routes.route("/", ollamaPullRoutes(parts));
  routes.route("/", unsupportedRoutes());
  return routes;
}

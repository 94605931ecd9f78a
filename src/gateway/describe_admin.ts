// Descriptions of /admin: installed models, and those that are not here yet.

import { MODEL_SETTINGS } from "../models/model_settings.ts";
import { DOWNLOAD_BODY, LIMIT_BODY, MOVE_BODY } from "./admin_downloads.ts";
import { IMPORT_BODY } from "./admin_import.ts";
import { NO_FIELDS } from "./admin_json.ts";
import { LOAD_BODY, UNLOAD_BODY } from "./admin_models.ts";
import { json, nothing, type RouteDescription, streamable } from "./route_description.ts";
import { FLAG, listOf, named, orNull, type Shape, TEXT } from "./shape.ts";

function object(properties: Record<string, Shape>): Shape {
  return { type: "object", properties, required: Object.keys(properties) };
}

const MODELS: RouteDescription[] = [
  {
    method: "GET",
    path: "/admin/models",
    tag: "Models",
    summary: "List the models with state, memory and fit",
    answers: { 200: json(listOf(named("Model")), "The models") },
  },
  {
    method: "GET",
    path: "/admin/models/{id}",
    tag: "Models",
    summary: "One model",
    answers: { 200: json(named("Model"), "The model") },
  },
  {
    method: "DELETE",
    path: "/admin/models/{id}",
    tag: "Models",
    summary: "Delete a model's files",
    detail: "By its exact ID, and only while it is not loaded. An imported one is only forgotten.",
    body: NO_FIELDS,
    answers: { 204: nothing("It is gone"), 409: json(named("OpenAIError"), "It is loaded") },
  },
  {
    method: "POST",
    path: "/admin/models/{id}/load",
    tag: "Models",
    summary: "Load a model",
    query: { wait: { ...FLAG, default: true, description: "Answer when it is ready" } },
    body: LOAD_BODY,
    answers: {
      200: json(named("Model"), "It is ready"),
      202: json(named("Model"), "It loads: `wait=false`"),
    },
  },
  {
    method: "POST",
    path: "/admin/models/{id}/unload",
    tag: "Models",
    summary: "Unload a model",
    body: UNLOAD_BODY,
    answers: { 200: json(named("Model"), "It is unloaded") },
  },
  {
    method: "POST",
    path: "/admin/models/{id}/pin",
    tag: "Models",
    summary: "Keep a model loaded, whatever comes",
    body: NO_FIELDS,
    answers: { 200: json(named("Model"), "It is pinned") },
  },
  {
    method: "POST",
    path: "/admin/models/{id}/unpin",
    tag: "Models",
    summary: "Let a model go again",
    body: NO_FIELDS,
    answers: { 200: json(named("Model"), "It is not pinned") },
  },
  {
    method: "GET",
    path: "/admin/models/{id}/command",
    tag: "Models",
    summary: "The command line that a load would use now",
    answers: { 200: json(object({ id: TEXT, command: listOf(TEXT) }), "The command line") },
  },
  {
    method: "GET",
    path: "/admin/models/{id}/log",
    tag: "Models",
    summary: "The last lines of its process",
    query: { follow: { ...FLAG, default: false, description: "As events, as they come" } },
    answers: { 200: streamable(object({ id: TEXT, lines: listOf(TEXT) }), "The lines") },
  },
  {
    method: "GET",
    path: "/admin/models/{id}/settings",
    tag: "Models",
    summary: "What was chosen for a model",
    answers: { 200: json(named("ModelSettings"), "The settings") },
  },
  {
    method: "PUT",
    path: "/admin/models/{id}/settings",
    tag: "Models",
    summary: "Choose for a model",
    detail: "What is left out stays as it is.",
    body: MODEL_SETTINGS,
    answers: { 200: json(named("ModelSettingsAnswer"), "The settings, and when they apply") },
  },
];

const ELSEWHERE: RouteDescription[] = [
  {
    method: "GET",
    path: "/admin/catalogue",
    tag: "Catalogue and Hub",
    summary: "Models that we recommend from, with what this computer can do with each",
    answers: { 200: json(listOf(named("CatalogueRow")), "The models") },
  },
  {
    method: "GET",
    path: "/admin/hub/search",
    tag: "Catalogue and Hub",
    summary: "Search the Hub for models",
    query: { q: TEXT, cursor: { type: "string", description: "Of the page before" } },
    answers: {
      200: json(
        object({ repos: listOf(named("HubRepoRow")), cursor: orNull(TEXT) }),
        "A page of repositories",
      ),
    },
  },
  {
    method: "GET",
    path: "/admin/hub/repos/{org}/{name}",
    tag: "Catalogue and Hub",
    summary: "A repository's models, each with its fit, before any download",
    query: { revision: TEXT },
    answers: { 200: json(named("HubRepo"), "The repository") },
  },
  {
    method: "GET",
    path: "/admin/downloads",
    tag: "Catalogue and Hub",
    summary: "List the downloads",
    answers: { 200: json(named("DownloadList"), "The downloads in their order") },
  },
  {
    method: "POST",
    path: "/admin/downloads",
    tag: "Catalogue and Hub",
    summary: "Fetch a model",
    body: DOWNLOAD_BODY,
    answers: { 201: json(named("Download"), "It waits for its turn") },
  },
  {
    method: "PUT",
    path: "/admin/downloads/limit",
    tag: "Catalogue and Hub",
    summary: "Limit the speed of all downloads together",
    body: LIMIT_BODY,
    answers: { 200: json(named("DownloadList"), "The downloads") },
  },
  {
    method: "GET",
    path: "/admin/downloads/{id}",
    tag: "Catalogue and Hub",
    summary: "One download",
    answers: { 200: json(named("Download"), "The download") },
  },
  {
    method: "POST",
    path: "/admin/downloads/{id}/pause",
    tag: "Catalogue and Hub",
    summary: "Pause a download",
    body: NO_FIELDS,
    answers: { 200: json(named("Download"), "It is paused") },
  },
  {
    method: "POST",
    path: "/admin/downloads/{id}/resume",
    tag: "Catalogue and Hub",
    summary: "Go on with a download",
    body: NO_FIELDS,
    answers: { 200: json(named("Download"), "It goes on, or waits for its turn") },
  },
  {
    method: "POST",
    path: "/admin/downloads/{id}/move",
    tag: "Catalogue and Hub",
    summary: "Give a download another place in the queue",
    body: MOVE_BODY,
    answers: { 200: json(named("Download"), "It is there now") },
  },
  {
    method: "DELETE",
    path: "/admin/downloads/{id}",
    tag: "Catalogue and Hub",
    summary: "Cancel a download, or forget one that is done",
    body: NO_FIELDS,
    answers: { 204: nothing("It is gone") },
  },
  {
    method: "GET",
    path: "/admin/import",
    tag: "Catalogue and Hub",
    summary: "Models of other programs on this computer",
    answers: { 200: json(named("ImportList"), "What was found, and where") },
  },
  {
    method: "POST",
    path: "/admin/import",
    tag: "Catalogue and Hub",
    summary: "Use models of other programs, where they are",
    body: IMPORT_BODY,
    answers: { 201: json(listOf(named("ImportRow")), "The models") },
  },
];

export const ADMIN_ROUTES: readonly RouteDescription[] = [...MODELS, ...ELSEWHERE];

// Descriptions of the routes about the server itself.

import { SETTINGS } from "../settings.ts";
import { NEW_KEY_BODY } from "./admin_keys.ts";
import { RUNTIME_BODY } from "./admin_runtimes.ts";
import { events, json, nothing, type RouteDescription, text } from "./route_description.ts";
import { listOf, named, type Shape, TEXT, word } from "./shape.ts";

// What a value must be is written in the table of settings, by which it is checked.
const SETTINGS_BODY: Shape = {
  type: "object",
  properties: Object.fromEntries(
    SETTINGS.filter(({ locked }) => !locked).map(({ name, help }) => [name, { description: help }]),
  ),
  additionalProperties: false,
};

const SCRIPT = { "text/javascript": { type: "string" } } as const;

export const SERVER_ROUTES: readonly RouteDescription[] = [
  {
    method: "GET",
    path: "/",
    tag: "Server",
    summary: "The page, for browsers; a line of text for others",
    answers: {
      200: {
        summary: "What this is",
        content: { "text/html": { type: "string" }, "text/plain": { type: "string" } },
      },
    },
  },
  {
    method: "GET",
    path: "/static/{file}",
    tag: "Server",
    summary: "What the page is made of",
    answers: {
      200: {
        summary: "The file",
        content: {
          ...SCRIPT,
          "text/css": { type: "string" },
          "application/json": { type: "object" },
          "image/svg+xml": { type: "string" },
        },
      },
    },
  },
  {
    method: "GET",
    path: "/lib/{file}",
    tag: "Server",
    summary: "The packages that the page uses",
    answers: { 200: { summary: "The file", content: SCRIPT } },
  },
  {
    method: "GET",
    path: "/health",
    tag: "Server",
    summary: "Whether it runs",
    answers: {
      200: json(
        { type: "object", properties: { status: word("ok") }, required: ["status"] },
        "It does",
      ),
    },
  },
  {
    method: "GET",
    path: "/metrics",
    tag: "Server",
    summary: "Counts and gauges for Prometheus",
    answers: { 200: text("Prometheus' text format") },
  },
  {
    method: "GET",
    path: "/openapi.json",
    tag: "Server",
    summary: "This description",
    answers: { 200: json({ type: "object" }, "OpenAPI 3.1") },
  },
  {
    method: "GET",
    path: "/docs",
    tag: "Server",
    summary: "This description as a page",
    answers: { 200: { summary: "The page", content: { "text/html": { type: "string" } } } },
  },
  {
    method: "GET",
    path: "/docs/{file}",
    tag: "Server",
    summary: "What that page is made of",
    answers: {
      200: {
        summary: "The file",
        content: { "text/css": { type: "string" }, "text/javascript": { type: "string" } },
      },
    },
  },
  {
    method: "GET",
    path: "/admin/system",
    tag: "Server",
    summary: "This machine and its llama.cpp",
    answers: { 200: json(named("System"), "The machine as it is now") },
  },
  {
    method: "GET",
    path: "/admin/runtimes",
    tag: "Server",
    summary: "The builds of llama.cpp that are here, and those that could be",
    answers: { 200: json(named("RuntimeList"), "The builds") },
  },
  {
    method: "POST",
    path: "/admin/runtimes",
    tag: "Server",
    summary: "Install, use or remove a build of llama.cpp, or cancel an installation",
    detail:
      "Models that run go on with the build that they have; the next load takes the new one. " +
      "`cancel` is answered when nothing is left of what came; once the new build takes its place " +
      "it comes too late (409, `too_late`).",
    body: RUNTIME_BODY,
    answers: {
      200: json(named("RuntimeList"), "It is used, removed, or cancelled"),
      202: json(named("RuntimeList"), "It is being installed: `job` tells how far it is"),
      409: json(named("OpenAIError"), "It cannot be done now: the reason says what to do"),
    },
  },
  {
    method: "GET",
    path: "/admin/scope",
    tag: "Server",
    summary: "What the server may do, what it lacks, and which cage holds its models",
    answers: { 200: json(named("Scope"), "The scope") },
  },
  {
    method: "GET",
    path: "/admin/events",
    tag: "Server",
    summary: "Everything that happens, as it happens",
    detail: "A snapshot first; a known `Last-Event-ID` gets what it missed.",
    answers: { 200: events("Events `system`, `model`, `download`, `request`, `log`") },
  },
  {
    method: "GET",
    path: "/admin/requests",
    tag: "Server",
    summary: "Requests now and lately, never their texts",
    answers: { 200: json(listOf(named("Request")), "The running ones first") },
  },
  {
    method: "DELETE",
    path: "/admin/requests/{id}",
    tag: "Server",
    summary: "Cancel a request",
    answers: { 204: nothing("It is cancelled") },
  },
  {
    method: "GET",
    path: "/admin/settings",
    tag: "Server",
    summary: "Every setting with its value and source",
    answers: { 200: json(listOf(named("Setting")), "The settings") },
  },
  {
    method: "PUT",
    path: "/admin/settings",
    tag: "Server",
    summary: "Change settings",
    detail: "They are written to config.json. What is left out stays; null takes a value away.",
    otherBody: { "application/json": SETTINGS_BODY },
    answers: { 200: json(listOf(named("Setting")), "The settings") },
  },
  {
    method: "GET",
    path: "/admin/connect",
    tag: "Server",
    summary: "Settings for other programs, ready to be copied",
    query: { model: { ...TEXT, description: "The model to name in them" } },
    answers: { 200: json(named("Connect"), "The texts") },
  },
  {
    method: "GET",
    path: "/admin/keys",
    tag: "Server",
    summary: "List the keys, never their secrets",
    answers: { 200: json(listOf(named("Key")), "The keys") },
  },
  {
    method: "POST",
    path: "/admin/keys",
    tag: "Server",
    summary: "Make a key",
    detail: "From the first one on, every request needs a key. Its secret is in this answer only.",
    body: NEW_KEY_BODY,
    answers: { 201: json(named("NewKey"), "The key") },
  },
  {
    method: "DELETE",
    path: "/admin/keys/{id}",
    tag: "Server",
    summary: "Revoke a key",
    detail: "After the last one, no request needs a key any more.",
    answers: { 204: nothing("It opens nothing any more") },
  },
];

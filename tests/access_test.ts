import { equal } from "node:assert/strict";
import { accessOf, doorAccessOf } from "../src/gateway/access.ts";

Deno.test("accessOf() opens answers to every key, what changes something to administrators", () => {
  const routes: [method: string, path: string, access: string][] = [
    ["GET", "/", "public"],
    ["HEAD", "/health", "public"],
    ["GET", "/docs", "public"],
    ["GET", "/docs/swagger-ui.css", "public"],
    ["GET", "/static/app.js", "public"],
    ["GET", "/lib/preact.js", "public"],
    ["PUT", "/static/app.js", "admin"],
    ["GET", "/static", "admin"],
    ["POST", "/health", "admin"],
    ["GET", "/health/", "admin"],
    ["GET", "/openapi.json", "use"],
    ["GET", "/metrics", "use"],
    ["POST", "/generate", "use"],
    ["POST", "/v1/chat/completions", "use"],
    ["GET", "/v1/models/a/b", "use"],
    ["POST", "/upstream/hello/completion", "use"],
    ["GET", "/running", "use"],
    ["GET", "/unload", "admin"],
    ["POST", "/unload", "admin"],
    ["GET", "/logs", "admin"],
    ["POST", "/api/chat", "use"],
    ["GET", "/api/tags", "use"],
    ["DELETE", "/api/delete", "admin"],
    ["POST", "/api/pull", "admin"],
    ["POST", "/api/create", "admin"],
    ["POST", "/api/copy", "admin"],
    ["POST", "/api/blobs/sha256:0", "admin"],
    ["POST", "/api/models/unload", "admin"],
    ["GET", "/admin/models", "admin"],
    ["POST", "/admin/keys", "admin"],
    ["GET", "/v1", "admin"],
    ["GET", "/V1/models", "admin"],
    ["GET", "//v1/models", "admin"],
    ["GET", "/new", "admin"],
  ];
  for (const [method, path, access] of routes) equal(accessOf(method, path), access, path);
});

Deno.test("doorAccessOf() asks for a key on a model's port, whatever the path", () => {
  for (const path of ["/", "/docs", "/admin/keys", "/completion", "/v1/models"]) {
    equal(doorAccessOf("GET", path), "use", path);
  }
  equal(doorAccessOf("GET", "/health"), "public");
  equal(doorAccessOf("POST", "/health"), "use");
});

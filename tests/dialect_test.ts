// Errors come in the shape that the caller reads, whoever notices them: the guard, the body's
// reader, a route, or nobody.

import { deepEqual, equal, match } from "node:assert/strict";
import { AppError, type ErrorCode } from "../src/errors.ts";
import { type Dialect, dialectOf } from "../src/gateway/dialect.ts";
import { errorEvent, errorJson } from "../src/gateway/error_response.ts";
import { guardedServer } from "./support/guarded_server.ts";

Deno.test("dialectOf() tells by the path, and by Anthropic's version header where that is not enough", () => {
  const table: [path: string, headers: Record<string, string>, dialect: Dialect][] = [
    ["/v1/chat/completions", {}, "openai"],
    ["/v1/chat/completions", { "anthropic-version": "2023-06-01" }, "openai"],
    ["/v1/models", {}, "openai"],
    ["/v1/models?limit=2", { "anthropic-version": "2023-06-01" }, "anthropic"],
    ["/v1/models/hello", { "anthropic-version": "2023-06-01" }, "anthropic"],
    ["/v1/modelsx", { "anthropic-version": "2023-06-01" }, "openai"],
    ["/v1/messages", {}, "anthropic"],
    ["/v1/messages?beta=true", {}, "anthropic"],
    ["/v1/messages/count_tokens", {}, "anthropic"],
    ["/v1/messagesx", {}, "openai"],
    ["/api", {}, "ollama"],
    ["/api/chat", {}, "ollama"],
    ["/api/nothing/at/all", {}, "ollama"],
    ["/apis", {}, "openai"],
    ["/api/models/unload", {}, "openai"],
    ["/api/models/unload/hello", {}, "openai"],
    ["/upstream/api/chat", {}, "openai"],
    ["/?next=/api/chat", {}, "openai"],
    ["/#/api/chat", {}, "openai"],
    ["/", {}, "openai"],
    ["", {}, "openai"],
  ];
  for (const [path, headers, dialect] of table) {
    for (const prefix of ["", "http://127.0.0.1:8001", "http://[::1]:8001"]) {
      const request = { url: prefix + path, headers: new Headers(headers) };
      equal(dialectOf(request), dialect, request.url);
    }
  }
});

Deno.test("errorJson() writes each dialect's shape and words", () => {
  const error = new AppError("overloaded", "Cannot queue another", { values: { queued: 3 } });
  deepEqual(errorJson(error, "openai"), {
    error: {
      message: "Cannot queue another",
      type: "unavailable_error",
      code: "overloaded",
      values: { queued: 3 },
      param: null,
    },
  });
  deepEqual(errorJson(error, "ollama"), { error: "Cannot queue another" });
  deepEqual(errorJson(error, "anthropic"), {
    type: "error",
    error: { type: "overloaded_error", message: "Cannot queue another" },
  });
  const types: [code: ErrorCode, type: string][] = [
    ["invalid_request", "invalid_request_error"],
    ["invalid_api_key", "authentication_error"],
    ["host_not_allowed", "permission_error"],
    ["model_not_found", "not_found_error"],
    ["method_not_allowed", "invalid_request_error"],
    ["body_too_large", "request_too_large"],
    ["hub_rate_limited", "rate_limit_error"],
    ["internal", "api_error"],
    ["load_failed", "api_error"],
    ["load_stalled", "timeout_error"],
    ["out_of_memory", "api_error"],
  ];
  for (const [code, type] of types) {
    deepEqual(errorJson(new AppError(code, "Text"), "anthropic"), {
      type: "error",
      error: { type, message: "Text" },
    });
  }
  const unknown = new AppError("model_not_found", 'Cannot find the model "x". Ask for "a"', {
    values: { model: "x" },
  });
  deepEqual(errorJson(unknown, "ollama"), { error: `model 'x' not found. Ask for "a"` });
});

Deno.test("errorEvent() is the last event of each dialect's stream", () => {
  const error = new AppError("upstream_failed", "Broke\noff");
  match(errorEvent(error, "openai"), /^data: \{"error":\{"message":"Broke\\noff".*\}\}\n\n$/);
  equal(errorEvent(error, "ollama"), '{"error":"Broke\\noff"}\n');
  equal(
    errorEvent(error, "anthropic"),
    'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"Broke\\noff"}}\n\n',
  );
});

Deno.test("the guard and unknown routes answer in the caller's dialect", async () => {
  await using server = guardedServer({ apiKey: "secret" });
  const shapes: [path: string, keys: string[]][] = [
    ["/v1/chat/completions/x", ["error"]],
    ["/v1/messages/batches", ["type", "error"]],
    ["/api/nothing", ["error"]],
  ];
  for (const [path, keys] of shapes) {
    for (const [headers, status] of [[{}, 401], [{ "x-api-key": "secret" }, 404]] as const) {
      const answer = await fetch(server.url + path, { method: "POST", body: "{}", headers });
      const body = await answer.json();
      equal(answer.status, status, path);
      deepEqual(Object.keys(body), keys, path);
      equal(typeof body.error, path.startsWith("/api") ? "string" : "object", path);
    }
  }
});

// Errors as answers: an AppError in the caller's dialect; anything else is a bug, answered with an
// ID that is in the log and with no detail.

import type { ErrorBody } from "../api_types.ts";
import { AppError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Dialect } from "./dialect.ts";

/** The answer to anything that was thrown; what is no AppError is logged here. */
export function renderError(error: unknown, options: { dialect: Dialect; log: Log }): Response {
  return renderAppError(toAppError(error, options.log), options.dialect);
}

/** An AppError as it is; a bug becomes `internal` with the ID under which it was logged. */
export function toAppError(error: unknown, log: Log): AppError {
  if (error instanceof AppError) return error;
  const id = crypto.randomUUID().slice(0, 8);
  log.error("Request failed by a bug", {
    id,
    reason: messageOf(error),
    stack: error instanceof Error ? error.stack ?? null : null,
  });
  return new AppError(
    "internal",
    `Cannot answer because of a bug in this server. Look for ${id} in its log and report it`,
    { values: { id } },
  );
}

export function renderAppError(error: AppError, dialect: Dialect): Response {
  const response = Response.json(errorJson(error, dialect), { status: error.status });
  const { headers } = response;
  headers.set("cache-control", "no-store");
  if (error.retryAfterSeconds !== null) {
    headers.set("retry-after", String(Math.ceil(error.retryAfterSeconds)));
  }
  if (error.status === 401) headers.set("www-authenticate", "Bearer");
  return response;
}

/** The JSON of an error answer; also the last event of a stream that broke. */
export function errorJson(error: AppError, dialect: Dialect): Record<string, unknown> {
  const { message, code, values, param, status } = error;
  switch (dialect) {
    case "openai":
      return { error: { message, type: openaiType(status), code, values, param } };
    case "ollama":
      return { error: ollamaText(error) };
    case "anthropic":
      return { type: "error", error: { type: anthropicType(status), message } };
  }
}

/** llama-server's own error answer in the caller's dialect. */
export function renderUpstreamError(
  { status, bytes }: { status: number; bytes: Uint8Array | null },
  dialect: Dialect,
): Response {
  const text = new TextDecoder().decode(bytes ?? new Uint8Array());
  const message = messageIn(text);
  switch (dialect) {
    case "openai":
      return new Response(text, { status, headers: { "content-type": "application/json" } });
    case "ollama":
      return Response.json({ error: message }, { status });
    case "anthropic":
      return Response.json({ type: "error", error: { type: anthropicType(status), message } }, {
        status,
      });
  }
}

function messageIn(text: string): string {
  try {
    const { error } = JSON.parse(text);
    if (typeof error?.message === "string") return error.message;
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
  }
  return text;
}

/** An error as the last event of a stream whose status is long gone. */
export function errorEvent(error: AppError, dialect: Dialect): string {
  const json = JSON.stringify(errorJson(error, dialect));
  switch (dialect) {
    case "openai":
      return `data: ${json}\n\n`;
    case "ollama":
      return `${json}\n`;
    case "anthropic":
      return `event: error\ndata: ${json}\n\n`;
  }
}

/** An error as a field of a row. */
export function errorBody(error: AppError): ErrorBody {
  return { message: error.message, code: error.code, values: { ...error.values } };
}

// OpenAI's and llama-server's words, by which their clients tell errors apart.
function openaiType(status: number): string {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 503:
      return "unavailable_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

/** Anthropic's word for a status. */
function anthropicType(status: number): string {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    case 504:
      return "timeout_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}

// Ollama's clients have only the text: some look for its words in it before they offer to pull.
function ollamaText({ code, values, message }: AppError): string {
  if (code !== "model_not_found") return message;
  const advice = message.slice(message.indexOf(". ") + 2);
  return `model '${values.model}' not found. ${advice}`;
}

// llama-server answers 500 for some requests that are themselves wrong. Clients try a 500 again, and
// people look for the fault in the server: such an answer becomes the 400 that it means.

import type { UpstreamAnswer } from "../runtime/upstream_client.ts";

/** What build 11669 says where it could not read a request; of a failure of its own it says other things. */
const FAULTS: readonly RegExp[] = [
  /^(?:Failed to parse|Cannot use|Either|Expected|Missing|Unknown|Unsupported) /,
  /^Invalid (?!input batch)/,
  /^'[\w.]+' is required/,
  /\bmust (?:not )?be\b/,
  / (?:is|are) not supported\b/,
  /^\[json\.exception\./,
  // A count below zero, as C++ sees it.
  /^vector(::\w+)?$/,
  // A model's template refuses messages, such as two of one role in a row.
  /Jinja Exception/,
  /^input \(\d+ tokens\) is too large to process/,
];

/** The answer as it is, or as a 400 where the request was at fault; a refusal without a word gets some. */
export function withRightStatus(answer: UpstreamAnswer): UpstreamAnswer {
  if (answer.status >= 400 && answer.bytes?.length === 0) return withWords(answer);
  if (answer.status !== 500 || answer.bytes === null) return answer;
  const error = errorIn(answer.bytes);
  if (error === null || !FAULTS.some((fault) => fault.test(error.message))) return answer;
  const fixed = { error: { ...error, code: 400, type: "invalid_request_error" } };
  return { ...answer, status: 400, bytes: new TextEncoder().encode(JSON.stringify(fixed)) };
}

// Its HTTP library answers so to a body that is not what its content type says.
function withWords(answer: UpstreamAnswer): UpstreamAnswer {
  const { status } = answer;
  const type = status < 500 ? "invalid_request_error" : "server_error";
  const message = "Cannot read the request: llama-server refused it and did not say why. " +
    "Look whether its body is what its content type says";
  const bytes = new TextEncoder().encode(
    JSON.stringify({ error: { code: status, message, type } }),
  );
  return { ...answer, contentType: "application/json", bytes };
}

function errorIn(bytes: Uint8Array): { message: string } | null {
  try {
    const { error } = JSON.parse(new TextDecoder().decode(bytes));
    return typeof error?.message === "string" ? error : null;
  } catch (error) {
    // Not JSON, or not an object.
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}

// `_debug_render_only`: the prompt as the model would read it, instead of an answer.

import { forward } from "./forward.ts";
import type { Asked, OllamaCall } from "./ollama_call.ts";
import { flagOf } from "./ollama_fields.ts";
import { head } from "./ollama_stream.ts";
import type { ServingParts } from "./request_defaults.ts";

export function wantsRendering({ fields }: OllamaCall): boolean {
  return flagOf(fields, "_debug_render_only") ?? false;
}

export async function renderOnly(
  parts: ServingParts,
  { context, model, name, keepAliveMs }: OllamaCall,
  { body }: Asked,
): Promise<Response> {
  const answer = (prompt: unknown) =>
    Response.json({ ...head({ model: name }), _debug_info: { rendered_template: prompt } });
  // What is not made of messages is sent as it stands.
  if (body.messages === undefined) return answer(body.prompt ?? body.input_prefix);
  return await forward(parts, {
    context,
    model,
    path: "/apply-template",
    body: new TextEncoder().encode(JSON.stringify(body)),
    stream: false,
    dialect: "ollama",
    keepAliveMs,
    whole: ({ answer: { bytes } }) => answer(JSON.parse(new TextDecoder().decode(bytes!)).prompt),
  });
}

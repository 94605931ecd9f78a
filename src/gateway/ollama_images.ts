// Ollama's `images`: base64 without a word of what it is; llama-server wants the parts of a message.

import { AppError } from "../errors.ts";
import { textsOf } from "./ollama_fields.ts";
import type { JsonObject } from "./json_body.ts";

/** A part of a message as OpenAI has it. */
export type MediaPart =
  | { type: "image_url"; image_url: { url: string } }
  | { type: "input_audio"; input_audio: { data: string; format: string } };

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** Enough for every signature below. */
const HEAD_CHARACTERS = 24;

/** The first bytes of what comes in practice; an image of another kind is for llama-server to try. */
const SIGNATURES: readonly [starts: RegExp, type: string][] = [
  [/^\x89PNG/, "image/png"],
  [/^\xff\xd8\xff/, "image/jpeg"],
  [/^GIF8/, "image/gif"],
  [/^RIFF[^]{4}WEBP/, "image/webp"],
  [/^BM/, "image/bmp"],
  [/^RIFF[^]{4}WAVE/, "audio/wav"],
  [/^ID3|^\xff[\xfb\xf3\xf2]/, "audio/mp3"],
];

/** Errors: `invalid_request`, `remote_media_refused` for an address. */
export function mediaParts(fields: JsonObject): MediaPart[] {
  return (textsOf(fields, "images") ?? []).map(mediaPart);
}

function mediaPart(text: string): MediaPart {
  if (/^(?:https?|file):/i.test(text)) {
    throw new AppError(
      "remote_media_refused",
      "Cannot fetch media from an address. Send the image itself in base64",
      { param: "images" },
    );
  }
  const data = text.replace(/^data:[\w./+-]*;base64,/i, "").replace(/\s+/g, "");
  if (!BASE64.test(data) || data.length % 4 === 1) {
    throw new AppError("invalid_request", 'Cannot read "images": illegal base64 data', {
      param: "images",
    });
  }
  const head = atob(data.slice(0, Math.min(HEAD_CHARACTERS, data.length & ~3)));
  const type = SIGNATURES.find(([starts]) => starts.test(head))?.[1] ?? "image/png";
  const [kind, format] = type.split("/") as [string, string];
  return kind === "audio"
    ? { type: "input_audio", input_audio: { data, format } }
    : { type: "image_url", image_url: { url: `data:${type};base64,${data}` } };
}

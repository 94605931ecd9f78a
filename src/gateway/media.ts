// What a message holds besides text: refuses what would make llama-server read a file or the network
// for a client (facts/security.md S21, S22), and what the model cannot see or hear.

import type { Capability } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { Model } from "../models/library.ts";

type Medium = "vision" | "audio";

const WORDS: Readonly<Record<Medium, { thing: string; does: string }>> = {
  vision: { thing: "an image", does: "sees images" },
  audio: { thing: "sound", does: "hears" },
};

/** Throws `remote_media_refused` where a message part names anything but a data: URL. */
export function refuseRemoteMedia(body: Record<string, unknown>): void {
  mediaOf(body);
}

/**
 * Before anything is loaded: throws `remote_media_refused`, and `invalid_request` where the model
 * has no projector for what it is shown.
 */
export function checkMedia(body: Record<string, unknown>, model: Model): void {
  for (const medium of mediaOf(body)) checkCapability(model, { medium, param: "messages" });
}

/** Throws `invalid_request` where the model cannot take this in. */
export function checkCapability(
  { id, facts }: Model,
  { medium, param }: { medium: Medium; param: string },
): void {
  // A file that cannot be read has a reason of its own, which its load tells.
  if (facts === null || facts.capabilities.includes(medium satisfies Capability)) return;
  const { thing, does } = WORDS[medium];
  throw new AppError(
    "invalid_request",
    `Cannot show ${thing} to ${JSON.stringify(id)}: it has no projector (mmproj file) for that. ` +
      `Choose a model that ${does}, or put its projector beside it`,
    { param, values: { model: id, medium } },
  );
}

// Text alone, which nearly all messages are, costs a look at each message's content.
function mediaOf(body: Record<string, unknown>): Iterable<Medium> {
  let found: Set<Medium> | null = null;
  const note = (medium: Medium) => void (found ??= new Set()).add(medium);
  for (const list of [body.messages, body.input]) {
    if (!Array.isArray(list)) continue;
    for (const message of list as ({ content?: unknown; output?: unknown } | null)[]) {
      // Responses has what a tool gave back as an item with an `output`.
      for (const parts of [message?.content, message?.output]) {
        if (Array.isArray(parts)) { for (const part of parts) checkPart(part, note); }
      }
    }
  }
  // Anthropic's instructions are parts without a message around them.
  if (Array.isArray(body.system)) { for (const part of body.system) checkPart(part, note); }
  return found ?? [];
}

function checkPart(part: unknown, note: (medium: Medium) => void): void {
  if (typeof part !== "object" || part === null) return;
  const { type } = part as { type?: unknown };
  // A call of a tool may well be about an address.
  if (type === "tool_use") return;
  if (typeof type === "string") {
    if (/image|video/.test(type)) note("vision");
    else if (type.includes("audio")) note("audio");
  }
  for (const [key, value] of Object.entries(part)) {
    if (key === "url" || key.endsWith("_url")) checkUrl(value);
    // `{"type": "image", "source": {"type": "url", "url": ...}}`, `{"input_audio": {"url": ...}}`
    else if (typeof value === "object" && value !== null && "url" in value) checkUrl(value.url);
    // What is said to be the bytes themselves might be taken for an address.
    else if (typeof value === "object" && value !== null && "data" in value) checkData(value.data);
    else if (key === "content" && Array.isArray(value)) {
      for (const inner of value) checkPart(inner, note);
    }
  }
}

function checkData(value: unknown): void {
  // Base64 has no colon.
  if (typeof value === "string" && /^[^:]{0,99}:/.test(value)) checkUrl(value);
}

function checkUrl(value: unknown): void {
  const url = typeof value === "object" && value !== null && "url" in value ? value.url : value;
  if (typeof url !== "string" || /^data:/i.test(url)) return;
  throw new AppError(
    "remote_media_refused",
    "Cannot fetch media from an address. Send the image as a data: URL",
    { param: "messages" },
  );
}

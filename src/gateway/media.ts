// Refuses what would make llama-server read a file or the network for a client (facts/security.md S21, S22).

import { AppError } from "../errors.ts";

/** Throws `remote_media_refused` where a message part names anything but a data: URL. */
export function refuseRemoteMedia(body: Record<string, unknown>): void {
  for (const list of [body.messages, body.input]) {
    if (!Array.isArray(list)) continue;
    for (const message of list) {
      const content = (message as { content?: unknown } | null)?.content;
      if (Array.isArray(content)) content.forEach(checkPart);
    }
  }
}

function checkPart(part: unknown): void {
  if (typeof part !== "object" || part === null) return;
  for (const [key, value] of Object.entries(part)) {
    if (key === "url" || key.endsWith("_url")) checkUrl(value);
    // `{"type": "image", "source": {"type": "url", "url": ...}}`, `{"input_audio": {"url": ...}}`
    else if (typeof value === "object" && value !== null && "url" in value) checkUrl(value.url);
    else if (key === "content" && Array.isArray(value)) value.forEach(checkPart);
  }
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

// A talk as a file: Markdown for people, JSON for programs.

import { formatTime, t } from "../i18n.js";

/** @import { Talk } from "./chat_talks.js" */

/** @param {Talk} talk */
export function talkAsMarkdown({ title, model, wishes, messages }) {
  const parts = [
    `# ${title}`,
    `${model}, ${formatTime(Date.now(), { dateStyle: "medium", timeStyle: "short" })}`,
  ];
  if (wishes.system !== "") parts.push(`## ${t("chat.system")}`, wishes.system);
  for (const { role, text, images, reasoning, model: by } of messages) {
    parts.push(`## ${role === "user" ? t("chat.you") : by}`);
    if (images.length > 0) parts.push(`*${t("chat.imageCount", { count: images.length })}*`);
    if (reasoning !== "") parts.push(quoted(reasoning));
    if (text !== "") parts.push(text);
  }
  return `${parts.join("\n\n")}\n`;
}

/** @param {Talk} talk In the shape in which the API takes messages, and what the answers took. */
export function talkAsJson({ title, model, wishes, messages }) {
  const said = messages.map((message) => ({
    role: message.role,
    content: message.text,
    ...(message.images.length > 0 && { images: message.images }),
    ...(message.reasoning !== "" && { reasoning_content: message.reasoning }),
    ...(message.role === "assistant" && {
      model: message.model,
      end: message.end,
      prompt_tokens: message.promptTokens,
      completion_tokens: message.tokens,
      tokens_per_second: message.tokensPerSecond,
    }),
    time: new Date(message.atMs).toISOString(),
  }));
  const { system, sampling } = wishes;
  return `${JSON.stringify({ title, model, system, sampling, messages: said }, null, 2)}\n`;
}

/**
 * @param {Talk} talk
 * @param {"md" | "json"} kind
 */
export function saveTalk(talk, kind) {
  const text = kind === "md" ? talkAsMarkdown(talk) : talkAsJson(talk);
  const url = URL.createObjectURL(
    new Blob([text], { type: kind === "md" ? "text/markdown" : "application/json" }),
  );
  const link = document.createElement("a");
  link.href = url;
  link.download = `${fileName(talk.title)}.${kind}`;
  link.click();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** @param {string} title */
function fileName(title) {
  const name = title.replace(/[^\p{L}\p{M}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60);
  return name === "" ? "chat" : name;
}

/** @param {string} text */
function quoted(text) {
  return text.trim().split("\n").map((line) => `> ${line}`).join("\n");
}

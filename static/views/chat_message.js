// One message: what was said, how it was thought, what it took. Its text is drawn as it comes, by frames.

import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { formatNumber, formatPercent, formatSpeed, language, t } from "../i18n.js";
import { Button, CopyButton, copyText } from "../parts/controls.js";
import { Meter } from "../parts/measures.js";
import { ErrorNote } from "../parts/words.js";
import { speedWord } from "../texts.js";
import { MarkdownFlow } from "./chat_flow.js";
import { loadMarkdown } from "./chat_markdown.js";

/** @import { ErrorBody } from "../../src/api_types.ts" */
/** @import { Answer } from "./chat_stream.js" */
/** @import { Message } from "./chat_talks.js" */

/** Drawing takes this much of a frame at most. */
const FRAME_SHARE_MS = 5;
/** Elements of plain text stay below this many characters. */
const PLAIN_PIECE = 4_000;

/** @param {{ message: Message }} props */
export function UserMessage({ message: { text, images } }) {
  return html`
    <article class="chat-message user" aria-label=${t("chat.you")}>
      ${images.map((url, at) =>
        html`<img key=${at} src=${url} alt=${t("chat.imageNumber", { count: at + 1 })} />`
      )}
      ${text !== "" && html`<p class="chat-plain">${text}</p>`}
    </article>
  `;
}

/**
 * @param {{
 *   message: Message,
 *   answer: Answer | null,
 *   onAgain: (() => void) | null,
 * }} props `answer` while it is being written; `onAgain` where it is the last.
 */
export function AssistantMessage({ message, answer, onAgain }) {
  const isWriting = answer !== null;
  const hasText = message.text !== "" || isWriting;
  return html`
    <article class="chat-message assistant" aria-label=${message.model} aria-busy=${isWriting
      ? "true"
      : undefined}>
      <${Reasoning} message=${message} answer=${answer} />
      ${hasText && html`<${MarkdownText} message=${message} answer=${answer} />`}
      ${!isWriting && html`<${Ending} message=${message} onAgain=${onAgain} />`}
    </article>
  `;
}

/** @param {{ message: Message, answer: Answer | null }} props */
function MarkdownText({ message, answer }) {
  const root = useRef(/** @type {HTMLDivElement | null} */ (null));
  // The element's children are not the component's: they are made while the text comes. Some of them
  // have words of the page.
  useEffect(() => {
    const element = /** @type {HTMLDivElement} */ (root.current);
    return drawInFrames(element, { message, answer });
  }, [message.id, language.value]);
  return html`<div ref=${root} class="markdown" onClick=${copyCode}></div>`;
}

/**
 * Draws the text into the element until it is whole; returns what ends that.
 *
 * @param {HTMLElement} element
 * @param {{ message: Message, answer: Answer | null }} options
 */
function drawInFrames(element, { message, answer }) {
  /** @type {MarkdownFlow | null} */
  let flow = null;
  let taken = 0;
  let frame = 0;
  let isOver = false;
  const stop = answer?.onMore(ask);
  loadMarkdown().then((markdown) => {
    if (isOver) return;
    flow = new MarkdownFlow(markdown, element);
    ask();
  }, () => {
    // Without it the text stands as it was written.
    if (!isOver) element.append(message.text);
  });
  return () => {
    isOver = true;
    stop?.();
    cancelAnimationFrame(frame);
  };

  function ask() {
    if (frame === 0) frame = requestAnimationFrame(draw);
  }

  /** @param {number} frameMs */
  function draw(frameMs) {
    frame = 0;
    if (flow === null) return;
    const untilMs = endOfDrawing(frameMs);
    if (performance.now() >= untilMs) return ask();
    if (taken < message.text.length) {
      flow.append(message.text.slice(taken));
      taken = message.text.length;
    }
    const isLast = message.end !== null && (answer === null || answer.phase.peek() === "ended");
    const isWhole = flow.draw({ untilMs, isLast });
    element.dispatchEvent(new Event("grown", { bubbles: true }));
    if (!isWhole) ask();
  }
}

/** Of the frame that is being made: all texts of a talk share it. */
let sharedFrame = { ms: 0, endMs: 0 };

/** @param {number} frameMs */
function endOfDrawing(frameMs) {
  if (sharedFrame.ms !== frameMs) {
    sharedFrame = { ms: frameMs, endMs: performance.now() + FRAME_SHARE_MS };
  }
  return sharedFrame.endMs;
}

/** @param {{ message: Message, answer: Answer | null }} props */
function Reasoning({ message, answer }) {
  const phase = answer?.phase.value;
  if (message.reasoning === "" && phase !== "thinking") return null;
  return html`
    <details class="chat-reasoning">
      <summary>${t(phase === "thinking" ? "chat.thinking" : "chat.thought")}</summary>
      <${PlainText} message=${message} answer=${answer} />
    </details>
  `;
}

/** @param {{ message: Message, answer: Answer | null }} props */
function PlainText({ message, answer }) {
  const root = useRef(/** @type {HTMLDivElement | null} */ (null));
  useEffect(() => {
    const element = /** @type {HTMLDivElement} */ (root.current);
    element.replaceChildren();
    let taken = 0;
    let frame = 0;
    /** @type {Text | null} */
    let text = null;
    const draw = () => {
      frame = 0;
      const piece = message.reasoning.slice(taken);
      taken += piece.length;
      if (text === null || text.length > PLAIN_PIECE) {
        text = document.createTextNode("");
        const block = document.createElement("div");
        block.append(text);
        element.append(block);
      }
      text.appendData(piece);
    };
    const ask = () => {
      if (frame === 0 && taken < message.reasoning.length) frame = requestAnimationFrame(draw);
    };
    const stop = answer?.onMore(ask);
    ask();
    return () => {
      stop?.();
      cancelAnimationFrame(frame);
    };
  }, [message.id]);
  return html`<div ref=${root} class="chat-plain"></div>`;
}

/** @param {{ message: Message, onAgain: (() => void) | null }} props */
function Ending({ message, onAgain }) {
  const { text, end, error, tokens, tokensPerSecond, promptTokens, context } = message;
  return html`
    ${end === "stopped" && html`<p class="chat-note muted">${t("chat.stopped")}</p>`}
    ${end === "length" && html`<p class="chat-note muted">${t("chat.length")}</p>`}
    ${end === "done" && text === "" && html`<p class="chat-note muted">${t("chat.nothing")}</p>`}
    ${error !== null && html`<${ChatError} error=${error} onAgain=${onAgain} />`}
    <footer class="chat-ending">
      ${tokens !== null && html`<span>${t("chat.tokens", { count: tokens })}</span>`}
      ${tokensPerSecond !== null && html`
        <span class="chat-speed">${formatSpeed(tokensPerSecond)}
          <span class="tag">${speedWord(tokensPerSecond)}</span></span>
      `}
      ${context !== null && promptTokens !== null &&
        html`<${ContextUsed} used=${promptTokens + (tokens ?? 0)} context=${context} />`}
      <span class="chat-ending-actions">
        ${text !== "" && html`<${CopyButton} text=${text} label=${t("chat.copyAnswer")} />`}
        ${onAgain !== null && error === null &&
          html`<${Button} kind="quiet" icon="reset" onClick=${onAgain}>${
            t("chat.again")
          }</${Button}>`}
      </span>
    </footer>
  `;
}

/** @param {{ error: ErrorBody, onAgain: (() => void) | null }} props */
function ChatError({ error, onAgain }) {
  const retry = onAgain === null ? {} : { onRetry: onAgain };
  const { n_prompt_tokens: tokens, n_ctx: context } = error.values;
  const isTooLong = error.code === "exceed_context_size_error" ||
    error.values.type === "exceed_context_size_error";
  return html`
    ${isTooLong
      ? html`<p class="chat-note" role="alert">${
        tokens === undefined ? t("chat.tooLong") : t("chat.tooLongBy", { tokens, context })
      }</p>`
      : html`<${ErrorNote} error=${error} ...${retry} />`}
  `;
}

/** @param {{ used: number, context: number }} props */
function ContextUsed({ used, context }) {
  const share = Math.min(1, used / context);
  return html`
    <span class="chat-context" title=${t("chat.contextHint")}>
      <${Meter} value=${share} label=${t("chat.context")} />
      ${t("chat.contextUsed", {
        used: formatNumber(used),
        context: formatNumber(context),
        share: formatPercent(share),
      })}
    </span>
  `;
}

/**
 * Of all blocks of code in a text: they are not components.
 *
 * @param {MouseEvent} event
 */
async function copyCode(event) {
  const button = /** @type {HTMLElement} */ (event.target).closest(".chat-copy-code");
  const code = button?.closest(".markdown-code")?.querySelector("code")?.textContent;
  if (button === null || code === undefined || code === null) return;
  await copyText(code);
  button.textContent = t("shell.copied");
  setTimeout(() => button.textContent = t("chat.copy"), 2_000);
}

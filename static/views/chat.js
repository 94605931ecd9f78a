// A talk with a model of this computer. What it consists of is in chat_*.js.

import { useComputed } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { formatPercent, t } from "../i18n.js";
import { Button } from "../parts/controls.js";
import { Icon } from "../parts/icon.js";
import { Progress } from "../parts/measures.js";
import { Empty, StateMark } from "../parts/words.js";
import { keep, readKept } from "../preferences.js";
import { go, hrefOf, route } from "../router.js";
import { chatModels, connecting, modelById, system } from "../store.js";
import { Composer } from "./chat_composer.js";
import { Drawer } from "./chat_drawer.js";
import { saveTalk } from "./chat_export.js";
import { AssistantMessage, UserMessage } from "./chat_message.js";
import {
  answering,
  ask,
  askAgain,
  loadHeads,
  messages,
  newTalk,
  stop,
  talk,
} from "./chat_session.js";
import { TalkList } from "./chat_talk_list.js";
import { loadMarkdown } from "./chat_markdown.js";

/** @import { ModelRow } from "../../src/api_types.ts" */

/** Nearer to the end than this, a reader wants to follow. */
const NEAR_END_PX = 96;

export function ChatView() {
  const chosen = useComputed(() => route.value.view === "chat" ? route.value.argument : null).value;
  const usual = useComputed(usualModel).value;
  const id = chosen ?? usual;
  const row = id === null ? null : modelById(id).value;
  const [isListOpen, setListOpen] = useState(false);

  useEffect(() => {
    void loadHeads();
    loadMarkdown().catch(() => {
      // It is asked for again with the first answer.
    });
  }, []);
  useEffect(() => {
    if (row !== null) keep("chat.model", row.id);
  }, [row?.id]);

  return html`
    <section class="view chat">
      <div class="chat-head">
        <h1>${t("chat.title")}</h1>
        ${row !== null && html`<${ModelChoice} row=${row} />`}
        <${Tools} row=${row} isListOpen=${isListOpen} onList=${() => setListOpen(!isListOpen)} />
      </div>
      <div class="chat-columns">
        <aside id="chat-talks" class=${isListOpen
          ? "chat-talks open"
          : "chat-talks"} aria-label=${t("chat.talks")}>
          <${TalkList} onChosen=${(/** @type {string | null} */ model) => {
            setListOpen(false);
            if (model !== null && modelById(model).peek() !== null) go("chat", model);
          }} />
        </aside>
        <div class="chat-talk-place">
          ${row === null ? html`<${NoModel} id=${id} />` : html`<${TalkPlace} row=${row} />`}
        </div>
      </div>
    </section>
  `;
}

/** The one of the last time, one that is loaded, or the first. */
function usualModel() {
  const all = chatModels.value;
  const kept = readKept("chat.model");
  const found = all.find(({ id }) => id === kept) ?? all.find(({ state }) => state === "ready") ??
    all[0];
  return found?.id ?? null;
}

/** @param {{ row: ModelRow }} props */
function ModelChoice({ row }) {
  const all = chatModels.value;
  const ids = all.some(({ id }) => id === row.id)
    ? all.map(({ id }) => id)
    : [row.id, ...all.map(({ id }) => id)];
  return html`
    <div class="chat-model">
      <select aria-label=${t("chat.model")} value=${row.id}
        onChange=${(/** @type {any} */ event) => go("chat", event.currentTarget.value)}>
        ${ids.map((id) =>
          html`<option key=${id} value=${id} selected=${id === row.id}>${id}</option>`
        )}
      </select>
      <${StateMark} model=${row} />
    </div>
  `;
}

/** @param {{ row: ModelRow | null, isListOpen: boolean, onList: () => void }} props */
function Tools({ row, isListOpen, onList }) {
  const [isDrawerOpen, setDrawerOpen] = useState(false);
  const menu = useRef(/** @type {HTMLElement | null} */ (null));
  const hasMessages = messages.value.length > 0;
  /** @param {"md" | "json"} kind */
  const save = (kind) => {
    saveTalk(talk.peek(), kind);
    menu.current?.hidePopover();
  };
  return html`
    <div class="chat-tools">
      <${Button} kind="quiet" icon="logs" class="chat-list-button" aria-expanded=${isListOpen
        ? "true"
        : "false"}
        aria-controls="chat-talks" onClick=${onList}>${t("chat.talks")}</${Button}>
      ${hasMessages &&
        html`
          <${Button} kind="quiet" icon="plus" class="chat-tools-new chat-tools-small"
            onClick=${() => newTalk()}><span>${t("chat.new")}</span></${Button}>
        `}
      ${hasMessages && html`
        <button type="button" class="button quiet chat-tools-small" popovertarget="chat-export">
          <${Icon} name="export" /><span>${t("chat.export")}</span>
        </button>
        <div id="chat-export" popover ref=${menu} class="chat-menu" role="group" aria-label=${t(
          "chat.export",
        )}>
          <button type="button" class="button quiet" onClick=${() => save("md")}>${t(
            "chat.exportMarkdown",
          )}</button>
          <button type="button" class="button quiet" onClick=${() => save("json")}>${t(
            "chat.exportJson",
          )}</button>
        </div>
      `}
      ${row !== null && html`
        <${Button} kind="quiet" icon="settings" onClick=${() => setDrawerOpen(true)}>${t(
          "chat.wishes",
        )}</${Button}>
        <${Drawer} model=${row} open=${isDrawerOpen} onClose=${() => setDrawerOpen(false)} />
      `}
    </div>
  `;
}

/** @param {{ id: string | null }} props */
function NoModel({ id }) {
  if (connecting.value) return null;
  return id === null
    ? html`
      <${Empty} title=${t("chat.noModels")} text=${t("chat.noModelsText")}>
        <a class="button primary" href=${hrefOf("get")}>${t("chat.getOne")}</a>
        </${Empty}>
    `
    : html`
      <${Empty} title=${t("chat.unknownModel", { model: id })} text=${t("chat.unknownModelText")}>
        <a class="button primary" href=${hrefOf("models")}>${t("chat.toModels")}</a>
        </${Empty}>
    `;
}

/** @param {{ row: ModelRow }} props */
function TalkPlace({ row }) {
  const all = messages.value;
  const current = answering.value;
  const list = useRef(/** @type {HTMLDivElement | null} */ (null));
  useEffect(() => followEnd(/** @type {HTMLElement} */ (list.current)), []);
  useEffect(() => {
    // What was just asked is seen.
    if (current !== null) scrollTo({ top: document.documentElement.scrollHeight });
  }, [current]);
  useEffect(() => {
    // With an answer's end come its numbers and buttons.
    list.current?.dispatchEvent(new Event("grown"));
  }, [all]);
  const canTalk = row.capabilities.length === 0 || row.capabilities.includes("chat") ||
    row.capabilities.includes("completion");
  return html`
    <div class="chat-messages" ref=${list}>
      ${all.length === 0 && html`<${Greeting} row=${row} canTalk=${canTalk} />`}
      ${all.map((message, at) =>
        message.role === "user"
          ? html`<${UserMessage} key=${message.id} message=${message} />`
          : html`
            <${AssistantMessage} key=${message.id} message=${message}
              answer=${current?.message === message ? current : null}
              onAgain=${at === all.length - 1 ? () => void askAgain(row.id) : null} />
          `
      )}
    </div>
    <div class="chat-bottom">
      <${Progressing} />
      <${Composer} talkId=${talk.value.id} isAnswering=${current !== null} canSee=${row.capabilities
        .includes("vision")}
        isDisabled=${!canTalk || row.state === "missing"} onStop=${stop}
        onAsk=${(/** @type {{ text: string, images: string[] }} */ said) =>
          void ask(row.id, said)} />
    </div>
  `;
}

/** @param {{ row: ModelRow, canTalk: boolean }} props */
function Greeting({ row, canTalk }) {
  if (!canTalk) {
    return html`<${Empty} title=${t("chat.cannotTalk", { model: row.id })} text=${
      t("chat.cannotTalkText")
    } />`;
  }
  return html`
    <div class="chat-greeting">
      <h2>${t("chat.greeting")}</h2>
      <p class="muted">${t(
        row.state === "ready" ? "chat.greetingReady" : "chat.greetingStopped",
      )}</p>
      <div class="row">
        ${["hello", "explain", "write"].map((name) => {
          const text = t(`chat.try.${name}`);
          return html`<${Button} key=${name} kind="plain" onClick=${() =>
            void ask(row.id, { text })}>${text}</${Button}>`;
        })}
      </div>
    </div>
  `;
}

/** What happens until the first word, and how fast the words come then. */
function Progressing() {
  const current = answering.value;
  if (current === null) return html`<p class="chat-progress" role="status"></p>`;
  const phase = current.phase.value;
  if (phase === "waiting") return html`<${Waiting} model=${current.message.model} />`;
  const { tokens, perSecond } = current.pace.value;
  return html`
    <div class="chat-progress">
      <span class="visually-hidden" role="status">${t(
        phase === "thinking" ? "chat.thinking" : "chat.writing",
      )}</span>
      ${tokens > 0 && html`<span>${t("chat.tokens", { count: tokens })}</span>`}
      ${perSecond !== null &&
        html`<span>${t("chat.perSecond", { speed: Math.round(perSecond) })}</span>`}
    </div>
  `;
}

/** @param {{ model: string }} props */
function Waiting({ model }) {
  const row = modelById(model).value;
  const runtime = system.value?.runtime;
  if (runtime?.phase === "installing") {
    return html`<${Working} text=${t("chat.installing")} progress=${runtime.progress} />`;
  }
  if (row?.state === "loading") {
    return html`<${Working} text=${t("chat.loading", { model })} progress=${row.progress} />`;
  }
  const text = row?.state === "ready" ? t("chat.reading") : t("chat.starting", { model });
  return html`<${Working} text=${text} progress=${null} />`;
}

/** @param {{ text: string, progress: number | null }} props */
function Working({ text, progress }) {
  return html`
    <div class="chat-progress chat-working">
      <span role="status">${text}</span>
      ${progress !== null && html`<span>${formatPercent(progress)}</span>`}
      <${Progress} value=${progress} label=${text} />
    </div>
  `;
}

/**
 * Keeps the end in sight while it grows, as long as the reader is there.
 *
 * @param {HTMLElement} list
 */
function followEnd(list) {
  const root = document.documentElement;
  let isNear = true;
  const look = () => {
    isNear = root.scrollHeight - root.clientHeight - root.scrollTop < NEAR_END_PX;
  };
  const follow = () => {
    if (isNear) root.scrollTop = root.scrollHeight;
  };
  addEventListener("scroll", look, { passive: true });
  list.addEventListener("grown", follow);
  return () => {
    removeEventListener("scroll", look);
    list.removeEventListener("grown", follow);
  };
}

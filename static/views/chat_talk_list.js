// The talks that were had before: open one, delete one.

import { html } from "htm/preact";
import { formatTime, t } from "../i18n.js";
import { Button } from "../parts/controls.js";
import { Icon } from "../parts/icon.js";
import { confirmDialog } from "../parts/overlays.js";
import { deleteTalk, heads, keepError, newTalk, openTalk, talk } from "./chat_session.js";

/** @import { TalkHead } from "./chat_talks.js" */

/** @param {{ onChosen: (model: string | null) => void }} props */
export function TalkList({ onChosen }) {
  const begin = () => {
    newTalk();
    onChosen(null);
  };
  const all = heads.value;
  return html`
    <${Button} kind="plain" icon="plus" class="chat-new" onClick=${begin}>${t(
      "chat.new",
    )}</${Button}>
    ${keepError.value !== null &&
      html`<p class="chat-note muted" role="status">${t("chat.notKept")}</p>`}
    ${all.length === 0 && html`<p class="muted">${t("chat.noTalks")}</p>`}
    <ul class="chat-talk-list">
      ${all.map((head) => html`<${TalkRow} key=${head.id} head=${head} onChosen=${onChosen} />`)}
    </ul>
  `;
}

/** @param {{ head: TalkHead, onChosen: (model: string | null) => void }} props */
function TalkRow({ head, onChosen }) {
  const { id, title, model, changedMs } = head;
  const words = title === "" ? t("chat.untitled") : title;
  const open = async () => {
    await openTalk(id);
    onChosen(model);
  };
  const remove = async () => {
    const isSure = await confirmDialog({
      title: t("chat.deleteTitle"),
      text: t("chat.deleteText", { title: words }),
      confirm: t("chat.delete"),
      danger: true,
    });
    if (isSure) await deleteTalk(id);
  };
  return html`
    <li class=${id === talk.value.id ? "current" : undefined}>
      <button type="button" class="chat-talk" aria-current=${id === talk.value.id
        ? "true"
        : undefined} onClick=${open}>
        <span class="chat-talk-title">${words}</span>
        <span class="chat-talk-about muted">${model} · ${dayOrTime(changedMs)}</span>
      </button>
      <${Button} kind="quiet" class="round" aria-label=${t("chat.deleteNamed", {
        title: words,
      })} onClick=${remove}>
        <${Icon} name="trash" />
        </${Button}>
        </li>
  `;
}

/**
 * Of today the time, of other days the day: there is little room.
 *
 * @param {number} ms
 */
function dayOrTime(ms) {
  const isToday = new Date(ms).toDateString() === new Date().toDateString();
  return formatTime(ms, isToday ? { timeStyle: "short" } : { dateStyle: "medium" });
}

// The third step of the first visit: one question to a model, and its answer as it comes. The chat proper
// is chat.js's.

import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { api, ApiError } from "../api.js";
import { formatPercent, t } from "../i18n.js";
import { Button, Field } from "../parts/controls.js";
import { Progress } from "../parts/measures.js";
import { ErrorNote } from "../parts/words.js";
import { chatModels, downloads, modelById, system } from "../store.js";

/** @import { DownloadRow, ModelRow } from "../../src/api_types.ts" */
/** @import { ViewName } from "../router.js" */
/** @typedef {{ question: string, answer: string, isThinking: boolean, isDone: boolean }} Talk */

/**
 * @param {{
 *   taken: string | null,
 *   onLeave: (view: ViewName, argument?: string | null) => void,
 * }} props
 */
export function HelloStep({ taken, onLeave }) {
  const model = modelToAsk(chatModels.value, taken);
  const [question, setQuestion] = useState(t("welcome.hello.question"));
  const { talk, error, ask, stop } = useTalk();
  if (model === null) return html`<p role="status">${t("welcome.looking")}</p>`;
  const isAnswering = talk !== null && !talk.isDone && error === null;
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    if (!isAnswering && question.trim() !== "") void ask(model.id, question.trim());
  };
  /** @param {Event} event */
  const type = (event) => setQuestion(/** @type {HTMLInputElement} */ (event.currentTarget).value);
  return html`
    <p>${t(model.builtin ? "welcome.hello.builtin" : "welcome.hello.own", { model: model.id })}</p>
    <${Meanwhile} taken=${taken} />
    <form class="welcome-ask" onSubmit=${submit}>
      <${Field} label=${t("welcome.hello.ask")}>
        <input type="text" value=${question} onInput=${type} autocomplete="off" />
      <//>
      ${isAnswering
        ? html`<${Button} icon="stop" onClick=${stop}>${t("welcome.hello.stop")}<//>`
        : html`<${Button} kind="primary" icon="chat" type="submit">${t("welcome.hello.send")}<//>`}
    </form>
    ${talk !== null &&
      html`<${TalkView} talk=${talk} model=${model.id} isAnswering=${isAnswering} />`}
    ${error !== null &&
      html`<${ErrorNote} error=${error} onRetry=${() =>
        ask(model.id, talk?.question ?? question)} />`}
    ${talk?.isDone && talk.answer !== "" && html`
      <p class="welcome-done" role="status">${t("welcome.hello.works")}</p>
      <div class="row">
        ${model.builtin
          ? html`<${Button} kind="primary" onClick=${() => onLeave("get")}>${
            t("welcome.hello.get")
          }<//>`
          : html`<${Button} kind="primary" onClick=${() => onLeave("chat", model.id)}>
              ${t("welcome.hello.more", { model: model.id })}
            <//>`}
      </div>
    `}
  `;
}

/** @param {{ talk: Talk, model: string, isAnswering: boolean }} props */
function TalkView({ talk, model, isAnswering }) {
  return html`
    <div class="welcome-talk">
      <p class="welcome-said"><span class="visually-hidden">${t("welcome.hello.you")}: </span>${talk
        .question}</p>
      <div class="welcome-answer" aria-live="polite" aria-busy=${String(isAnswering)}>
        ${talk.answer === "" && isAnswering
          ? html`<${Waking} model=${model} isThinking=${talk.isThinking} />`
          : html`<p data-answer>${talk.answer}</p>`}
      </div>
    </div>
  `;
}

/** What is waited for. @param {{ model: string, isThinking: boolean }} props */
function Waking({ model, isThinking }) {
  const row = modelById(model).value;
  const engine = system.value?.runtime;
  if (engine?.phase === "installing" || engine?.phase === "looking") {
    return html`
      <p>${t("welcome.hello.engine")}</p>
      <${Progress} value=${engine.progress} label=${t("welcome.hello.engine")} />
    `;
  }
  if (row?.state === "loading") {
    return html`
      <p>${t("welcome.hello.waking")}</p>
      <${Progress} value=${row.progress} label=${t("welcome.hello.waking")} />
    `;
  }
  return html`<p class="muted">${
    t(isThinking ? "welcome.hello.thinking" : "welcome.hello.asked")
  }</p>`;
}

/** How far the model is that was taken. @param {{ taken: string | null }} props */
function Meanwhile({ taken }) {
  const download = downloads.value.find((row) => row.model === taken && row.state !== "done");
  const { bytes_total: total = null, bytes_done: done = 0 } = download ?? {};
  if (download === undefined || total === null || total === 0) return null;
  return html`
    <div class="welcome-meanwhile">
      <p class="muted">${t("welcome.hello.meanwhile", { percent: formatPercent(done / total) })}</p>
      <${Progress} value=${done / total} label=${t("welcome.model.arriving")} />
    </div>
  `;
}

function useTalk() {
  const [talk, setTalk] = useState(/** @type {Talk | null} */ (null));
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const asking = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => () => asking.current?.abort(), []);
  /**
   * @param {string} model
   * @param {string} question
   */
  async function ask(model, question) {
    asking.current?.abort();
    const abort = new AbortController();
    asking.current = abort;
    setError(null);
    let said = { question, answer: "", isThinking: false, isDone: false };
    setTalk(said);
    try {
      const body = { model, stream: true, messages: [{ role: "user", content: question }] };
      await api.stream("/v1/chat/completions", body, {
        signal: abort.signal,
        onEvent: (event) => {
          if (event === null || event.data === "[DONE]") return;
          said = withDelta(said, JSON.parse(event.data));
          setTalk(said);
        },
      });
      setTalk({ ...said, isDone: true });
    } catch (caught) {
      if (abort.signal.aborted) return setTalk({ ...said, isDone: true });
      if (!(caught instanceof ApiError)) throw caught;
      setError(caught);
    }
  }
  return { talk, error, ask, stop: () => asking.current?.abort() };
}

/**
 * Throws an ApiError where the stream tells of one.
 *
 * @param {Talk} said
 * @param {any} chunk
 * @returns {Talk}
 */
function withDelta(said, chunk) {
  if (chunk.error) {
    const { code = "unexpected_answer", message = "", values = {} } = chunk.error;
    throw new ApiError({ status: 200, code: String(code), message, values });
  }
  const delta = chunk.choices?.[0]?.delta ?? {};
  return {
    ...said,
    answer: said.answer + (delta.content ?? ""),
    isThinking: said.isThinking || Boolean(delta.reasoning_content),
  };
}

/**
 * The one that was taken, if it is here; else any of the user's own; else the builtin one.
 *
 * @param {ModelRow[]} models
 * @param {string | null} taken
 */
function modelToAsk(models, taken) {
  return models.find(({ id }) => id === taken) ?? models.find(({ builtin }) => !builtin) ??
    models[0] ?? null;
}

// The log of the server or of one model's process, live: follow, filter, pause, take along as text.

import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useMemo } from "preact/hooks";
import { t } from "../i18n.js";
import { Button, Field, Switch } from "../parts/controls.js";
import { ErrorNote } from "../parts/words.js";
import { go } from "../router.js";
import { models } from "../store.js";
import { LogPane } from "./logs_pane.js";
import { readLog } from "./logs_reader.js";

/** @import { ApiError } from "../api.js" */
/** @import { ModelRow } from "../../src/api_types.ts" */

/** @param {{ model: string | null }} props Null = the server. */
export function LogLines({ model }) {
  const pane = useMemo(() => new LogPane(), [model]);
  const failure = useSignal(/** @type {ApiError | null} */ (null));
  const filter = useSignal("");
  useEffect(() => {
    const leaving = new AbortController();
    failure.value = null;
    pane.filter(filter.peek());
    void readLog(model, {
      signal: leaving.signal,
      onStart: () => pane.clear(),
      onLines: (lines) => pane.add(lines),
      onFailure: (error) => {
        failure.value = error;
      },
    });
    return () => leaving.abort();
  }, [pane]);
  useEffect(() => pane.filter(filter.value), [pane, filter.value]);
  const ref = useMemo(() => (/** @type {HTMLElement | null} */ box) => pane.attach(box), [pane]);

  return html`
    <div class="log-tools">
      <${Field} label=${t("logs.source")}>
        <select name="source" onChange=${(/** @type {Event} */ event) => {
          const { value } = /** @type {HTMLSelectElement} */ (event.currentTarget);
          go("logs", value === "" ? null : value);
        }}>
          <option value="" selected=${model === null}>${t("logs.server")}</option>
          ${sources(models.value, model).map(({ id, isLive }) =>
            html`<option key=${id} value=${id} selected=${id === model}>${
              isLive ? t("logs.model_live", { model: id }) : id
            }</option>`
          )}
        </select>
        </${Field}>
        <${Field} label=${t("logs.filter")}>
          <input type="search" name="filter" autocomplete="off" spellcheck="false" value=${filter
            .value}
            placeholder=${t("logs.filter.hint")}
            onInput=${(/** @type {Event} */ event) => {
              filter.value = /** @type {HTMLInputElement} */ (event.currentTarget).value;
            }} />
          </${Field}>
          <div class="row log-buttons">
            <${Switch} label=${t("logs.follow")} checked=${pane.follow.value}
              onChange=${(/** @type {boolean} */ on) => pane.setFollow(on)} />
            <${Button} icon=${pane.isPaused.value ? "play" : "pause"}
              onClick=${() => pane.pause(!pane.isPaused.peek())}>
          ${pane.isPaused.value
            ? t("logs.go_on", { count: pane.heldCount.value })
            : t("logs.pause")}
        </${Button}>
        <${Button} icon="download" onClick=${() => download(pane.text(), model)}>${t(
          "logs.download",
        )}</${Button}>
      </div>
    </div>
    ${failure.value !== null && html`<${ErrorNote} error=${failure.value} />`}
    <div class="log-frame">
      <div class="log-pane" role="log" aria-live="off" tabindex="0" dir="ltr" translate="no" ref=${ref}
        aria-label=${model === null ? t("logs.server") : t("logs.of_model", { model })}></div>
      ${pane.shownCount.value === 0 &&
        html`<p class="log-empty">${
          t(
            filter.value !== ""
              ? "logs.no_match"
              : model === null
              ? "logs.empty"
              : "logs.empty_model",
          )
        }</p>`}
    </div>
    <p class="muted small log-count">${t("logs.count", { count: pane.shownCount.value })}</p>
  `;
}

/**
 * Those that run first: they are the ones with something to tell.
 *
 * @param {ModelRow[]} rows
 * @param {string | null} chosen
 */
function sources(rows, chosen) {
  const all = rows.map(({ id, state }) => ({
    id,
    isLive: state === "ready" || state === "loading" || state === "stopping",
  }));
  if (chosen !== null && !all.some(({ id }) => id === chosen)) {
    all.push({ id: chosen, isLive: false });
  }
  return all.sort((a, b) => Number(b.isLive) - Number(a.isLive));
}

/**
 * @param {string} text
 * @param {string | null} model
 */
function download(text, model) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const link = document.createElement("a");
  const moment = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  const name = (model ?? "server").replace(/[^\w.-]+/g, "_");
  link.href = url;
  link.download = `zombiecoder-${name}-${moment}.txt`;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

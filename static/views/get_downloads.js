// What is on its way from the Hub, in its order: how far, how fast, why not; and what has come.

import { html } from "htm/preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { api, segment } from "../api.js";
import { formatBytes, formatTime, t } from "../i18n.js";
import { Button } from "../parts/controls.js";
import { Icon } from "../parts/icon.js";
import { Progress } from "../parts/measures.js";
import { confirmDialog, refocus } from "../parts/overlays.js";
import { applyDownloads, downloads, modelById } from "../store.js";
import { errorText } from "../texts.js";
import { PauseButton, UseModel } from "./get_actions.js";
import { SpeedLimit } from "./get_limit.js";
import {
  amountText,
  baseName,
  hubPage,
  leftText,
  rateText,
  shareOf,
  stateText,
} from "./get_words.js";

/** @import { DownloadRow } from "../../src/api_types.ts" */

const MOST_DONE = 3;

export function Downloads() {
  const all = downloads.value;
  if (all.length === 0) return null;
  const open = all.filter(({ state }) => state !== "done");
  const done = all.filter(({ state }) => state === "done")
    .sort((a, b) => b.created_at.localeCompare(a.created_at));
  return html`<section class="get-downloads" aria-labelledby="get-downloads-title">
    <div class="get-downloads-head">
      <h2 id="get-downloads-title" tabindex="-1">${t("get.downloads_title")}</h2>
      <${SpeedLimit} />
    </div>
    <${Changes} rows=${all} />
    <ul class="get-queue">
      ${
    open.map((row, index) =>
      html`
        <li key=${row.id}>
          <${OpenDownload} row=${row} rows=${open} index=${index} />
        </li>
      `
    )
  }
      ${
    done.slice(0, MOST_DONE).map((row) =>
      html`
        <li key=${row.id}>
          <${DoneDownload} row=${row} />
        </li>
      `
    )
  }
    </ul>
    ${
    done.length > 1 && html`<div class="row">
      ${
      done.length > MOST_DONE &&
      html`<p class="muted">${t("get.done_more", { count: done.length - MOST_DONE })}</p>`
    }
      <${Button} kind="quiet" onClick=${() => clear(done)}>${t("get.clear_done")}</${Button}>
    </div>`
  }
  </section>`;
}

/**
 * @param {{ row: DownloadRow, rows: readonly DownloadRow[], index: number }} props
 */
function OpenDownload({ row, rows, index }) {
  const title = useId();
  const pressed = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    // What is moved in the page loses the focus.
    if (document.activeElement === document.body) pressed.current?.focus();
    pressed.current = null;
  }, [index]);
  /**
   * @param {MouseEvent} event
   * @param {string | null} before
   */
  function move({ currentTarget }, before) {
    pressed.current = /** @type {HTMLElement} */ (currentTarget);
    return api.post(`/admin/downloads/${segment(row.id)}/move`, { before });
  }
  const name = nameOf(row);
  const isMoving = row.state === "downloading";
  return html`
    <article class=${`card get-download ${row.state}`} aria-labelledby=${title}>
      <div class="get-download-what">
        <div class="get-download-head">
          <h3 id=${title}>${name}</h3>
          <p class="get-download-state">${stateText(row)}</p>
        </div>
        <${Progress} value=${shareOf(row)} label=${t("get.progress_of", { name })} />
        <p class="get-numbers">
            <span>${amountText(row)}</span>
            ${isMoving && html`<span>${rateText(row.bytes_per_second)}</span>`}
            ${isMoving && row.seconds_left !== null &&
              html`<span>${leftText(row.seconds_left)}</span>`}
            ${row.state === "queued" && index > 0 &&
              html`<span>${t("get.place", { place: index + 1 })}</span>`}
        </p>
      </div>
      <div class="get-download-actions">
        <${PauseButton} row=${row} name=${name} />
        <${Button} kind="quiet" icon="close" onClick=${() => cancel(row, name)}>
            ${t("get.cancel")}<span class="visually-hidden"> ${name}</span>
        </${Button}>
          ${rows.length > 1 && html`
            <span class="get-order">
              <${OrderButton} icon="up" label=${t("get.earlier", { name })} disabled=${index === 0}
                onClick=${(/** @type {MouseEvent} */ event) =>
                  move(event, rows[index - 1]?.id ?? null)} />
              <${OrderButton} icon="down" label=${t("get.later", {
                name,
              })} disabled=${index === rows.length - 1}
                onClick=${(/** @type {MouseEvent} */ event) =>
                  move(event, rows[index + 2]?.id ?? null)} />
            </span>
          `}
      </div>
        ${row.error !== null && row.state !== "downloading" && html`<${Reason} row=${row} />`}
        <${FilesOf} row=${row} />
    </article>
  `;
}

/**
 * Does nothing at the end of the queue, but stays there: whoever pressed it keeps the focus.
 *
 * @param {{ icon: "up" | "down", label: string, disabled: boolean, onClick: (event: MouseEvent) => unknown }} props
 */
function OrderButton({ icon, label, disabled, onClick }) {
  return html`
    <${Button} kind="quiet" class="round" icon=${icon} aria-label=${label}
      aria-disabled=${disabled ? "true" : undefined} onClick=${(/** @type {MouseEvent} */ event) =>
        disabled ? undefined : onClick(event)} />
  `;
}

/** @param {{ row: DownloadRow }} props */
function Reason({ row }) {
  const error = /** @type {NonNullable<DownloadRow["error"]>} */ (row.error);
  return html`<div class="get-note get-download-reason">
    <p>${errorText(error)}</p>
    ${
    row.retry_at !== null && row.state === "waiting" &&
    html`<p>${t("get.tries_at", { time: formatTime(row.retry_at) })}</p>`
  }
    ${
    error.code === "hub_gated" && html`<p><a href=${hubPage(row.repo)} target="_blank"
      rel="noopener noreferrer">${t("get.gated_open")}<span class="visually-hidden"> ${
      t("get.new_tab")
    }</span></a></p>`
  }
  </div>`;
}

/** @param {{ row: DownloadRow }} props */
function FilesOf({ row }) {
  if (row.files.length < 2) return null;
  return html`
    <details class="get-parts">
      <summary>${t("get.files", { count: row.files.length })}</summary>
      <ul>${row.files.map((file) =>
        html`<li key=${file.path}>
        ${file.verified && html`<${Icon} name="check" />`} ${baseName(file.path)}
        <span class="muted">${
          t("get.done_of", {
            done: formatBytes(file.bytes_done),
            total: formatBytes(file.bytes_total),
          })
        }</span>
        </li>`
      )}</ul>
    </details>
  `;
}

/** @param {{ row: DownloadRow }} props */
function DoneDownload({ row }) {
  const title = useId();
  const name = nameOf(row);
  const model = modelById(row.model ?? "").value;
  const size = row.bytes_total === null ? "" : `, ${formatBytes(row.bytes_total)}`;
  return html`
    <article class="card get-download done" aria-labelledby=${title}>
      <div class="get-download-head">
        <h3 id=${title}>${name}</h3>
        <p class="get-download-state"><${Icon} name="check" />${t("get.state_done")}${size}</p>
      </div>
      <div class="get-download-use">
          ${model === null
            ? html`<p class="muted">${t("get.done_gone")}</p>`
            : html`<${UseModel} model=${model} />`}
      </div>
      <${Button} kind="quiet" class="round" icon="close" aria-label=${t("get.clear_one", { name })}
        onClick=${() => clear([row])} />
    </article>
  `;
}

/**
 * Says to who does not see it when a download changes its state.
 *
 * @param {{ rows: readonly DownloadRow[] }} props
 */
function Changes({ rows }) {
  const [said, say] = useState("");
  const [before] = useState(() => new Map(rows.map((row) => [row.id, row.state])));
  useEffect(() => {
    for (const row of rows) {
      if (before.get(row.id) === row.state) continue;
      before.set(row.id, row.state);
      say(`${nameOf(row)}: ${stateText(row)}`);
    }
  }, [rows]);
  return html`<p class="visually-hidden" role="status">${said}</p>`;
}

/**
 * @param {DownloadRow} row
 * @param {string} name
 */
async function cancel(row, name) {
  const isSure = row.bytes_done === 0 || await confirmDialog({
    title: t("get.cancel_title", { name }),
    text: t("get.cancel_text", { done: formatBytes(row.bytes_done) }),
    confirm: t("get.cancel_confirm"),
    danger: true,
  });
  if (!isSure) return;
  await remove(row.id);
}

/**
 * Only the rows: the models stay.
 *
 * @param {readonly DownloadRow[]} rows
 */
async function clear(rows) {
  for (const { id } of rows) {
    await remove(id);
  }
}

/** @param {string} id */
async function remove(id) {
  await api.del(`/admin/downloads/${segment(id)}`);
  applyDownloads([{ id, removed: true }]);
  refocus(() => document.getElementById("get-downloads-title") ?? document.querySelector("h1"));
}

/** @param {DownloadRow} row */
function nameOf(row) {
  return row.model ?? baseName(row.file).replace(/\.gguf$/i, "");
}

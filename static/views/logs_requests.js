// Requests now and lately: who asked which model, how long each part of it took, drawn to one scale.

import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { api, segment } from "../api.js";
import { formatNumber, formatSpeed, formatTime, t } from "../i18n.js";
import { Button, Field } from "../parts/controls.js";
import { Empty } from "../parts/words.js";
import { requests } from "../store.js";

/** @import { RequestRow } from "../../src/api_types.ts" */
/** @typedef {"all" | "running" | "failed"} Choice */

const TICK_MS = 500;

export function Requests() {
  const choice = useSignal(/** @type {Choice} */ ("all"));
  const now = useSignal(Date.now());
  const hasRunning = requests.value.some(isRunning);
  useEffect(() => {
    if (!hasRunning) return;
    const timer = setInterval(() => {
      now.value = Date.now();
    }, TICK_MS);
    return () => clearInterval(timer);
  }, [hasRunning]);
  if (requests.value.length === 0) {
    return html`<${Empty} title=${t("logs.requests.empty")} text=${
      t("logs.requests.empty_text")
    } />`;
  }
  const rows = requests.value.filter((row) =>
    choice.value === "all" || (choice.value === "running" ? isRunning(row) : row.state === "failed")
  );
  const longestMs = Math.max(1, ...rows.map((row) => durationMs(row, now.value)));
  return html`
    <div class="log-tools">
      <${Field} label=${t("logs.requests.show")}>
        <select name="state" onChange=${(/** @type {Event} */ event) => {
          const { value } = /** @type {HTMLSelectElement} */ (event.currentTarget);
          choice.value = /** @type {Choice} */ (value);
        }}>
          ${/** @type {const} */ (["all", "running", "failed"]).map((each) =>
            html`<option value=${each} selected=${each === choice.value}>${
              t(`logs.requests.show.${each}`)
            }</option>`
          )}
        </select>
      </${Field}>
      <ul class="legend">
        ${["wait", "read", "write"].map((part) =>
          html`<li><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect
            class=${`span-${part}`} width="10" height="10" rx="2" /></svg>${
            t(`logs.requests.${part}`)
          }</li>`
        )}
      </ul>
    </div>
    ${rows.length === 0 ? html`<p class="muted">${t("logs.requests.none")}</p>` : html`
      <div class="table-scroll" tabindex="0" role="region" aria-label=${t("logs.requests")}>
        <table class="table requests">
          <thead>
            <tr>
              <th scope="col">${t("logs.requests.started")}</th>
              <th scope="col">${t("logs.requests.model")}</th>
              <th scope="col">${t("logs.requests.state")}</th>
              <th scope="col">${t("logs.requests.tokens")}</th>
              <th scope="col" class="wide">${t("logs.requests.time")}</th>
              <th scope="col"><span class="visually-hidden">${t("logs.requests.cancel")}</span></th>
            </tr>
          </thead>
          <tbody>${rows.map((row) =>
            html`
              <${Request} key=${row.id} row=${row} longestMs=${longestMs}
                nowMs=${isRunning(row) ? now.value : 0} />
            `
          )}</tbody>
        </table>
      </div>
    `}
  `;
}

/** @param {{ row: RequestRow, longestMs: number, nowMs: number }} props */
function Request({ row, longestMs, nowMs }) {
  const { id, model, route, state, status, prompt_tokens: asked, completion_tokens: told } = row;
  const ms = durationMs(row, nowMs);
  const speed = speedOf(row);
  return html`
    <tr data-state=${state}>
      <td>${formatTime(row.started_at)}</td>
      <th
        scope="row"><span class="request-model">${model ??
          "–"}</span><code class="muted small">${route}</code></th>
      <td class="request-status"><span class=${`request-state ${state}`}>
          <svg viewBox="0 0 12 12" aria-hidden="true"><circle cx="6" cy="6" r="4" /></svg>${t(
            `logs.state.${state}`,
          )}</span>
          ${status !== null && status >= 400 &&
            html`<span class="muted small">HTTP ${status}</span>`}
        </td>
      <td class="number">${asked === null && told === null ? "–" : t("logs.requests.token_counts", {
        asked: asked ?? "–",
        told: told ?? "–",
      })}${speed !== null && html`<span class="muted small">${formatSpeed(speed)}</span>`}</td>
      <td class="wide">
        <div class="request-time">
          <${Spans} row=${row} ms=${ms} longestMs=${longestMs} />
          <span class="number">${formatMs(ms)}</span>
        </div>
      </td>
      <td>${isRunning(row) && html`
        <${Button} kind="quiet" icon="stop"
          onClick=${() => api.del(`/admin/requests/${segment(id)}`)}>${t(
            "logs.requests.cancel",
          )}</${Button}>
      `}</td>
    </tr>
  `;
}

/**
 * Waiting, reading the question, answering: one after the other, all rows to one scale.
 *
 * @param {{ row: RequestRow, ms: number, longestMs: number }} props
 */
function Spans({ row, ms, longestMs }) {
  const waitMs = Math.min(ms, row.wait_ms ?? (row.state === "queued" ? ms : 0));
  // What is not streamed comes as a whole: nobody saw where reading ended.
  const firstByteMs = row.stream ? row.first_byte_ms ?? ms : waitMs;
  const firstMs = Math.min(ms, Math.max(waitMs, firstByteMs));
  const scale = 1000 / longestMs;
  const words = t(row.stream ? "logs.requests.spans" : "logs.requests.spans_whole", {
    wait: formatMs(waitMs),
    read: formatMs(firstMs - waitMs),
    write: formatMs(ms - firstMs),
  });
  return html`
    <svg class="spans" viewBox="0 0 1000 10" preserveAspectRatio="none" role="img"
      aria-label=${words}>
      <title>${words}</title>
      <rect class="span-rest" width="1000" height="10" />
      <rect class="span-wait" width=${waitMs * scale} height="10" />
      <rect class="span-read" x=${waitMs * scale} width=${(firstMs - waitMs) * scale} height="10" />
      <rect class="span-write" x=${firstMs * scale} width=${(ms - firstMs) * scale} height="10" />
    </svg>
  `;
}

/** @param {RequestRow} row */
function isRunning({ state, total_ms: totalMs }) {
  return totalMs === null && (state === "queued" || state === "answering");
}

/**
 * @param {RequestRow} row
 * @param {number} nowMs
 */
function durationMs(row, nowMs) {
  return row.total_ms ?? Math.max(0, nowMs - Date.parse(row.started_at));
}

/** @param {RequestRow} row */
function speedOf({ stream, total_ms: totalMs, first_byte_ms: firstMs, completion_tokens: tokens }) {
  if (!stream || totalMs === null || firstMs === null || tokens === null || tokens < 2) return null;
  const seconds = (totalMs - firstMs) / 1000;
  return seconds < 0.05 ? null : tokens / seconds;
}

/** @param {number} ms */
function formatMs(ms) {
  const isShort = ms < 1000;
  return formatNumber(isShort ? ms : ms / 1000, {
    style: "unit",
    unit: isShort ? "millisecond" : "second",
    maximumFractionDigits: isShort || ms >= 100_000 ? 0 : 1,
  });
}

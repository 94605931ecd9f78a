// Home's cards of the models: what each takes of the memory, and what runs until when.

import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { api, segment } from "../api.js";
import { formatBytes, formatDuration, t } from "../i18n.js";
import { Button } from "../parts/controls.js";
import { Meter } from "../parts/measures.js";
import { StateMark } from "../parts/words.js";
import { hrefOf } from "../router.js";
import { chatModels, loadedModels, putModel, system } from "../store.js";
import { partOf, shareOf } from "./home_system.js";

/** @import { ModelRow } from "../../src/api_types.ts" */

/** As the meter's parts are told apart. */
const TONES = 6;

export function ModelMemory() {
  const info = system.value;
  const total = memoryOf(info);
  const rows = loadedModels.value.filter(({ memory_bytes: bytes }) => bytes !== null);
  const used = rows.reduce((sum, { memory_bytes: bytes }) => sum + (bytes ?? 0), 0);
  const share = shareOf(used, total);
  const parts = rows.map(({ id, memory_bytes: bytes }, index) => ({
    label: id,
    tone: String(index % TONES + 1),
    value: shareOf(bytes, total) ?? 0,
  }));
  const budget = info?.memory.budget_bytes ?? null;
  return html`
    <section class="card home-models-memory" aria-labelledby="home-models-memory-title">
      <h2 id="home-models-memory-title">${t("home.models_memory")}</h2>
      <p class="home-value home-value-big">${info === null
        ? t("home.looking")
        : partOf(used, total)}</p>
      ${share !== null && html`
        <${Meter} value=${share} label=${t("home.models_memory")} parts=${parts} />
      `}
      ${rows.length > 0 && html`
        <ul class="home-legend">
          ${rows.map(({ id, memory_bytes: bytes }, index) =>
            html`
              <li key=${id}>
                <span class="home-swatch" data-tone=${String(
                  index % TONES + 1,
                )} aria-hidden="true"></span>
                <span class="home-name">${id}</span>
                <span class="muted">${formatBytes(bytes ?? 0)}</span>
              </li>
            `
          )}
        </ul>
      `}
      ${budget !== null && html`
        <p class="muted home-detail">${t("home.budget", { size: formatBytes(budget) })}</p>
      `}
    </section>
  `;
}

export function RunningModels() {
  const rows = loadedModels.value;
  return html`
    <section class="card home-running" aria-labelledby="home-running-title">
      <h2 id="home-running-title">${t("home.running")}</h2>
      ${rows.length === 0
        ? html`
          <p class="home-value">${t("home.nothing_runs")}</p>
          <p class="muted home-detail">${t("home.nothing_runs.text")}</p>
        `
        : html`<ul class="home-running-list">
            ${rows.map((model) => html`<${RunningModel} key=${model.id} model=${model} />`)}
          </ul>`}
    </section>
  `;
}

/** @param {{ model: ModelRow }} props */
function RunningModel({ model }) {
  const { id, state } = model;
  const canTalk = chatModels.value.some((each) => each.id === id);
  return html`
    <li class="home-running-row">
      <div class="home-running-words">
        <a class="home-name" href=${canTalk ? hrefOf("chat", id) : hrefOf("models")}>${id}</a>
        <${StateMark} model=${model} />
        <${Sleep} model=${model} />
      </div>
      ${state !== "stopping" && html`
        <${Button} icon="stop" onClick=${() => stop(id)}>
          ${t("home.stop")}<span class="visually-hidden"> ${id}</span>
        <//>
      `}
    </li>
  `;
}

/** @param {{ model: ModelRow }} props */
function Sleep({ model }) {
  const { state, expires_at: expires, pinned, leases } = model;
  const left = useSecondsTo(expires);
  if (state !== "ready") return null;
  if (leases > 0) return html`<p class="muted home-detail">${t("home.answering")}</p>`;
  if (pinned) return html`<p class="muted home-detail">${t("home.pinned")}</p>`;
  if (left === null) return html`<p class="muted home-detail">${t("home.stays")}</p>`;
  return html`<p class="muted home-detail">${
    t("home.sleeps_in", { time: formatDuration(left) })
  }</p>`;
}

/**
 * Counts down each second.
 *
 * @param {string | null} moment
 */
function useSecondsTo(moment) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (moment === null) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [moment]);
  return moment === null ? null : Math.max(0, (Date.parse(moment) - now) / 1000);
}

/** @param {string} id */
async function stop(id) {
  putModel(await api.post(`/admin/models/${segment(id)}/unload`));
}

/**
 * RAM, and that of graphics cards that have their own: a model may lie in both.
 *
 * @param {import("../../src/api_types.ts").SystemInfo | null} info
 */
function memoryOf(info) {
  const ram = info?.memory.total_bytes ?? null;
  if (info === null || ram === null) return null;
  return info.gpus.filter(({ unified }) => unified !== true)
    .reduce((sum, { vram_total_bytes: bytes }) => sum + (bytes ?? 0), ram);
}

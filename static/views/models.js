// The models of this computer. One of them is models_row.js's.

import { computed, signal } from "@preact/signals";
import { html } from "htm/preact";
import { t } from "../i18n.js";
import { Icon } from "../parts/icon.js";
import { Empty } from "../parts/words.js";
import { hrefOf } from "../router.js";
import { connecting, models } from "../store.js";
import { ModelCard } from "./models_row.js";

/** @import { ModelRow } from "../../src/api_types.ts" */

/** Fewer are seen at a glance. */
const MANY = 8;
const RUNNING = new Set(["ready", "loading", "stopping"]);

const filter = signal("");

/**
 * Names only, and the same array until one comes or goes: what changes in a row is drawn by that row.
 *
 * @param {() => string[]} read
 */
function stableList(read) {
  /** @type {string[]} */
  let last = [];
  return computed(() => {
    const now = read();
    if (now.length !== last.length || now.some((id, at) => id !== last[at])) last = now;
    return last;
  });
}

const shownIds = stableList(() => {
  const words = filter.value.trim().toLowerCase().split(/\s+/);
  return models.value.filter((row) => holds(row, words)).map(({ id }) => id);
});
const count = computed(() => models.value.length);
const runningCount = computed(() => models.value.filter(({ state }) => RUNNING.has(state)).length);

/**
 * @param {ModelRow} row
 * @param {string[]} words
 */
function holds({ id, aliases, quantization, architecture }, words) {
  const text = [id, ...aliases, quantization, architecture].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

export function ModelsView() {
  const isMany = count.value > MANY;
  return html`
    <section class="view models">
      <div class="models-head">
        <h1>${t("models.title")}</h1>
        <a class="button plain" href=${hrefOf("get")}><${Icon} name="plus" />${t("models.get")}</a>
      </div>
      ${count.value === 0 && !connecting.value && html`<${NoModels} />`}
      ${count.value > 0 && html`<${Counts} />`}
      ${isMany && html`<${Filter} />`}
      <${List} />
    </section>
  `;
}

function Counts() {
  return html`
    <p class="models-counts muted">
      ${t("models.count", { count: count.value })} · ${t("models.running", {
        count: runningCount.value,
      })}
    </p>
  `;
}

function Filter() {
  return html`
    <div class="models-filter">
      <${Icon} name="search" />
      <input type="search" aria-label=${t("models.filter")} placeholder=${t(
        "models.filter",
      )} value=${filter.value}
        onInput=${(/** @type {any} */ event) => filter.value = event.currentTarget.value} />
    </div>
    <p class="visually-hidden" role="status">
      ${filter.value !== "" && t("models.found", { count: shownIds.value.length })}
    </p>
  `;
}

function List() {
  const ids = shownIds.value;
  if (ids.length === 0 && filter.value !== "") {
    return html`<p class="muted">${t("models.nothingFound", { words: filter.value })}</p>`;
  }
  return html`
    <ul class="models-list">
      ${ids.map((id) => html`<${ModelCard} key=${id} id=${id} />`)}
    </ul>
  `;
}

function NoModels() {
  return html`
    <${Empty} title=${t("models.none")} text=${t("models.noneText")}>
      <a class="button primary" href=${hrefOf("get")}>${t("models.get")}</a>
      </${Empty}>
  `;
}

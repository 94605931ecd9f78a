// The models that we recommend from, as cards, best for this computer first; and what is looked for.

import { html } from "htm/preact";
import { useId } from "preact/hooks";
import { signal } from "@preact/signals";
import { formatBytes, t } from "../i18n.js";
import { Button } from "../parts/controls.js";
import { BadgeMark, Empty } from "../parts/words.js";
import { badgeReason, languageName } from "../texts.js";
import { ModelAction } from "./get_actions.js";
import { FileList } from "./get_files.js";
import { FitBars } from "./get_fit.js";
import { countText, hubPage, languagesText, licenceText, sortedLanguages } from "./get_words.js";

/** @import { CatalogueRow, HubRepoRow } from "../../src/api_types.ts" */
/** @typedef {"all" | "chat" | "code" | "vision" | "embedding"} Use */

/** @type {readonly Use[]} */
const USES = ["all", "chat", "code", "vision", "embedding"];

/** Roles in which a model writes words, one after the other. @type {readonly string[]} */
const WRITERS = ["chat", "code", "vision"];

/** What is wanted; stays while the page is open. */
export const wanted = {
  /** @type {import("@preact/signals").Signal<Use>} */
  use: signal("all"),
  bengali: signal(false),
  fits: signal(false),
};

export function Filters() {
  const name = useId();
  return html`
    <div class="get-filters">
      <fieldset class="get-chips">
          <legend class="visually-hidden">${t("get.filter_use")}</legend>
          ${USES.map((use) =>
            html`
              <label class="get-chip" key=${use}>
                <input type="radio" name=${name} checked=${wanted.use.value === use}
                  onChange=${() => wanted.use.value = use} />
                <span>${t(`get.use_${use}`)}</span>
              </label>
            `
          )}
      </fieldset>
      <fieldset class="get-chips">
        <legend class="visually-hidden">${t("get.filter_more")}</legend>
        <${CheckChip} kept=${wanted.bengali} text=${t("get.only_bengali")} />
        <${CheckChip} kept=${wanted.fits} text=${t("get.only_fits")} />
      </fieldset>
    </div>
  `;
}

/** @param {{ kept: import("@preact/signals").Signal<boolean>, text: string }} props */
function CheckChip({ kept, text }) {
  return html`
    <label class="get-chip">
      <input type="checkbox" checked=${kept.value} onChange=${() => kept.value = !kept.peek()} />
      <span>${text}</span>
    </label>
  `;
}

export function clearFilters() {
  wanted.use.value = "all";
  wanted.bengali.value = false;
  wanted.fits.value = false;
}

/**
 * @param {CatalogueRow} row
 * @param {string} words
 */
export function isWanted(row, words) {
  const use = wanted.use.value;
  if (use === "embedding" && !row.roles.some((role) => role === "embedding" || role === "rerank")) {
    return false;
  }
  if (use !== "all" && use !== "embedding" && !row.roles.includes(use)) return false;
  if (wanted.bengali.value && !row.languages.includes("bn")) return false;
  if (wanted.fits.value && (row.badge === null || row.badge.level === "not_recommended")) {
    return false;
  }
  const text = `${row.name} ${row.id} ${row.repo}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/**
 * What the Hub says of its repositories is often nothing: only what is said otherwise is left out.
 *
 * @param {HubRepoRow} row
 */
export function isWantedOfHub({ repo, capabilities, languages }) {
  const use = wanted.use.value;
  if (wanted.bengali.value && !languages.includes("bn")) return false;
  if (use === "all") return true;
  if (use === "code") return /cod(e|ing|er)|devstral/i.test(repo);
  if (use === "embedding") {
    return capabilities.includes("embedding") || capabilities.includes("rerank") ||
      /embed|rerank/i.test(repo);
  }
  return capabilities.length === 0 || capabilities.includes(use);
}

/**
 * @param {{ rows: readonly CatalogueRow[], words: string }} props
 */
export function CatalogueCards({ rows, words }) {
  const shown = rows.filter((row) => isWanted(row, words));
  if (shown.length === 0) {
    if (words !== "") return null;
    return html`
      <${Empty} title=${t("get.none_title")} text=${t("get.none_text")}>
        <${Button} kind="plain" onClick=${clearFilters}>${t("get.clear_filters")}</${Button}>
      </${Empty}>
    `;
  }
  return html`<ul class="cards get-cards">
    ${
    shown.map((row) =>
      html`
        <li key=${row.id}>
          <${CatalogueCard} row=${row} />
        </li>
      `
    )
  }
  </ul>`;
}

/** @param {{ row: CatalogueRow }} props */
function CatalogueCard({ row }) {
  const title = useId();
  const shown = row.files[row.choice ?? 0];
  const { badge } = row;
  return html`
    <article class="card get-card" aria-labelledby=${title}>
      <header class="get-card-head">
          ${badge === null
            ? html`<p class="muted">${t("get.fit_unknown")}</p>`
            : html`<${BadgeMark} badge=${badge} best=${row.best} />`}
          <h3 id=${title}>${row.name}</h3>
          <p class="get-tags">
            ${row.roles.map((role) =>
              html`<span class="tag" key=${role}>${t(`get.role_${role}`)}</span>`
            )}
            ${row.languages.includes("bn") &&
              html`<span class="tag get-bengali" lang="bn">বাংলা</span>`}
            ${row.gated && html`<span class="tag">${t("get.gated_tag")}</span>`}
          </p>
      </header>
      <p class="get-reason">${badge === null ? "" : badgeReason(badge)}</p>
      <div>
        <${FitBars} fit=${row.fit} hasSpeed=${row.roles.some((role) => WRITERS.includes(role))} />
      </div>
      <dl class="get-facts">
          ${shown !== undefined &&
            html`<${Fact} name=${t("get.size")}>${formatBytes(shown.size_bytes)}</${Fact}>`}
          <${Fact} name=${t("get.languages")}>${languagesText(row.languages)}</${Fact}>
          <${Fact} name=${t("get.licence")}>${licenceText(row.license)}</${Fact}>
      </dl>
        <div class="get-card-action">
          ${shown !== undefined && html`
            <${ModelAction} key=${shown.file} repo=${row.repo} model=${shown} name=${row.name}
              kind=${badge?.level === "not_recommended" ? "plain" : "primary"} />
          `}
        </div>
        <details class="get-more">
          <summary>${t("get.more")}<span class="visually-hidden"> ${row.name}</span></summary>
          <dl class="get-facts">
            <${Fact} name=${t("get.parameters")}>${countText(row.parameters)}</${Fact}>
            ${shown?.quantization &&
              html`<${Fact} name=${t("get.quantization")}>${shown.quantization}</${Fact}>`}
            ${row.context_length !== null &&
              html`<${Fact} name=${t("get.context")}>${
                t("get.tokens", { count: row.context_length })
              }</${Fact}>`}
            <${Fact} name=${t(
              "get.languages",
            )}>${sortedLanguages(row.languages).map(languageName).join(", ") ||
              t("get.languages_unknown")}</${Fact}>
            <${Fact} name=${t("get.source")}><${HubLink} repo=${row.repo} /></${Fact}>
          </dl>
          ${row.files.length > 1 && html`
            <h4>${t("get.sizes")}</h4>
            <${FileList} repo=${row.repo} files=${row.files} name=${row.name} />
          `}
        </details>
    </article>
  `;
}

/** @param {{ name: string, children: import("preact").ComponentChildren }} props */
export function Fact({ name, children }) {
  return html`
    <div>
      <dt>${name}</dt>
      <dd>${children}</dd>
    </div>
  `;
}

/** @param {{ repo: string }} props */
export function HubLink({ repo }) {
  return html`<a href=${hubPage(repo)} target="_blank" rel="noopener noreferrer">${repo}<span
    class="visually-hidden"> ${t("get.new_tab")}</span></a>`;
}

/** @param {{ count: number, all: number }} props */
export function CountLine({ count, all }) {
  return html`<p class="muted get-count" role="status">${
    count === 0
      ? t("get.none_of_ours")
      : count === all
      ? t("get.count_all", { count: all })
      : t("get.count", { shown: count, count: all })
  }</p>`;
}

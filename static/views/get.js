// Models to get: the catalogue with the search over the Hub, what is on its way, and what other programs
// hold on this disk.

import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { signal, useComputed } from "@preact/signals";
import { t } from "../i18n.js";
import { Tabs } from "../parts/controls.js";
import { Icon } from "../parts/icon.js";
import { ErrorNote } from "../parts/words.js";
import { go, route } from "../router.js";
import { models } from "../store.js";
import { useAnswer, useLaterSpeeds } from "./get_ask.js";
import { CatalogueCards, CountLine, Filters, isWanted } from "./get_catalogue.js";
import { Downloads } from "./get_downloads.js";
import { HubSearch } from "./get_hub.js";
import { Import } from "./get_import.js";

/** @import { CatalogueRow } from "../../src/api_types.ts" */

/** Stays while the page is open, as the filters do. */
const typed = signal("");
/** Many models change at once, at the start and at an import. */
const GATHER_MS = 400;

export function GetView() {
  const { view, argument } = route.value;
  const selected = view === "get" && argument === "import" ? "import" : "models";
  const tabs = [
    { id: "models", label: t("get.tab_models") },
    { id: "import", label: t("get.tab_import") },
  ];
  return html`<section class="view get">
    <h1 tabindex="-1">${t("get.title")}</h1>
    <${Downloads} />
    <${Tabs} tabs=${tabs} selected=${selected} label=${t("get.title")}
      onSelect=${(/** @type {string} */ id) => go("get", id === "import" ? "import" : null)} />
    ${selected === "import" ? html`<${Import} />` : html`<${Models} />`}
  </section>`;
}

function Models() {
  const { value, error, again } = useAnswer("/admin/catalogue");
  const rows = /** @type {CatalogueRow[] | null} */ (value);
  useFreshFits(again);
  useLaterSpeeds(rows, again);
  const words = typed.value.trim();
  return html`<div class="stack">
    <${SearchField} />
    <${Filters} />
    <h2 class=${words === "" ? "visually-hidden" : ""}>${t("get.ours_title")}</h2>
    ${error !== null && rows === null && html`<${ErrorNote} error=${error} onRetry=${again} />`}
    ${
    rows === null && error === null &&
    html`<p class="muted" role="status">${t("get.measuring")}</p>`
  }
    ${
    rows !== null && html`
      <${CountLine} count=${rows.filter((row) => isWanted(row, words)).length} all=${rows.length} />
      <${CatalogueCards} rows=${rows} words=${words} />
    `
  }
    <${HubSearch} words=${words} />
  </div>`;
}

function SearchField() {
  return html`
    <form role="search" class="get-search" onSubmit=${(/** @type {Event} */ event) =>
      event.preventDefault()}>
      <label for="get-search-field" class="visually-hidden">${t("get.search_label")}</label>
      <${Icon} name="search" />
      <input id="get-search-field" type="search" value=${typed.value} maxlength="200"
        placeholder=${t("get.search_hint")} autocomplete="off" spellcheck=${false}
        onInput=${(/** @type {Event & { currentTarget: HTMLInputElement }} */ event) =>
          typed.value = event.currentTarget.value} />
    </form>
  `;
}

/**
 * What fits, and what is here, changes with the models on this computer and with those that hold its
 * memory.
 *
 * @param {() => void} again
 */
function useFreshFits(again) {
  const held =
    useComputed(() => models.value.map(({ id, state }) => `${id} ${state === "ready"}`).join("\n"))
      .value;
  const seen = useRef(held);
  useEffect(() => {
    if (seen.current === held) return;
    const timer = setTimeout(() => {
      seen.current = held;
      again();
    }, GATHER_MS);
    return () => clearTimeout(timer);
  }, [held, again]);
}

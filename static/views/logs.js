// #/logs/MODEL: for those who want to see what happens inside: logs of the server and of each model, and
// the requests.

import { signal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { t } from "../i18n.js";
import { Tabs } from "../parts/controls.js";
import { route } from "../router.js";
import { LogLines } from "./logs_lines.js";
import { Requests } from "./logs_requests.js";

/** @typedef {"lines" | "requests"} Tab */

/** Kept while other views are looked at. */
const tab = signal(/** @type {Tab} */ ("lines"));

export function LogsView() {
  const model = route.value.argument;
  useEffect(() => {
    // Whoever comes for one model's log is shown that.
    if (model !== null) tab.value = "lines";
  }, [model]);
  return html`<section class="view logs">
    <h1 tabindex="-1">${t("logs.title")}</h1>
    <p class="muted">${t("logs.text")}</p>
    <${Tabs} label=${t("logs.title")} selected=${tab.value}
      tabs=${[{ id: "lines", label: t("logs.lines") }, {
    id: "requests",
    label: t("logs.requests"),
  }]}
      onSelect=${(/** @type {Tab} */ id) => {
    tab.value = id;
  }} />
    ${tab.value === "requests" ? html`<${Requests} />` : html`<${LogLines} model=${model} />`}
  </section>`;
}

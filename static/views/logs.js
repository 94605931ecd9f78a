// #/logs

import { html } from "htm/preact";
import { t } from "../i18n.js";

export function LogsView() {
  return html`<section class="view logs"><h1 tabindex="-1">${t("logs.title")}</h1></section>`;
}

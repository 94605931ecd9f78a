// #/settings

import { html } from "htm/preact";
import { t } from "../i18n.js";

export function SettingsView() {
  return html`<section class="view settings"><h1 tabindex="-1">${t("settings.title")}</h1></section>`;
}

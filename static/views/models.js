import { html } from "htm/preact";
import { t } from "../i18n.js";

export function ModelsView() {
  return html`
    <section class="view models">
      <h1>${t("models.title")}</h1>
    </section>
  `;
}

import { html } from "htm/preact";
import { t } from "../i18n.js";

export function ChatView() {
  return html`
    <section class="view chat">
      <h1>${t("chat.title")}</h1>
    </section>
  `;
}

import { html } from "htm/preact";

export function ConnectView() {
  return html`<section class="view connect"><h1 tabindex="-1"></h1></section>`;
}

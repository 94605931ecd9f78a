import { html } from "htm/preact";

export function WelcomeView() {
  return html`<section class="view welcome"><h1 tabindex="-1"></h1></section>`;
}

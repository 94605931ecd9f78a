import { html } from "htm/preact";

export function HomeView() {
  return html`<section class="view home"><h1 tabindex="-1"></h1></section>`;
}

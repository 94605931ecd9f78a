// Models to get: the catalogue, the Hub, what is on its way, what other programs hold.

import { html } from "htm/preact";

export function GetView() {
  return html`<section class="view get"><h1 tabindex="-1"></h1></section>`;
}

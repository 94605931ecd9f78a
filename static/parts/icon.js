// Small pictures, drawn in the colour of the text beside them. They say nothing that words do not.

import { html } from "htm/preact";

/** Paths on a square of 24, drawn as lines. */
const PATHS = {
  play: "M7 4.5v15l12-7.5z",
  stop: "M6.5 6.5h11v11h-11z",
  pause: "M8.5 5v14M15.5 5v14",
  trash: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 12.5h9l1-12.5M10.3 11v5M13.7 11v5",
  pin: "M9 4h6l-.7 6.5 3.2 3.5h-11l3.2-3.5zM12 14v6",
  download: "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 19.5h14",
  search: "M10.8 17.2a6.4 6.4 0 1 0 0-12.8 6.4 6.4 0 0 0 0 12.8zM15.5 15.5l4.5 4.5",
  copy: "M9 9h10.5v10.5H9zM15 9V4.5H4.5V15H9",
  check: "M5 12.5l4.7 4.7L19.5 7",
  settings: "M4 7.5h9M17 7.5h3M4 16.5h3M11 16.5h9M15 5.3v4.4M9 14.3v4.4",
  logs: "M5 6h14M5 10h10M5 14h14M5 18h7",
  home: "M4.5 11.5L12 4.7l7.5 6.8M6.5 10v9.3h4v-5h3v5h4V10",
  chat: "M4.5 5.5h15v10.8h-8.3L7.5 19.8v-3.5h-3z",
  plug: "M9 3.8v4.4M15 3.8v4.4M6.5 8.2h11v3.3a5.5 5.5 0 0 1-11 0zM12 17v3.5",
  moon: "M19.5 14.3A8 8 0 0 1 9.7 4.5a8 8 0 1 0 9.8 9.8z",
  sun:
    "M12 16.2a4.2 4.2 0 1 0 0-8.4 4.2 4.2 0 0 0 0 8.4zM12 2.8v2M12 19.2v2M2.8 12h2M19.2 12h2M5.5 5.5l1.4 1.4M17.1 17.1l1.4 1.4M5.5 18.5l1.4-1.4M17.1 6.9l1.4-1.4",
  language:
    "M4 6h9M8.5 4v2M11.5 6c-.8 4-3.5 7-7 8.5M6 9.5c1.3 2.3 3.2 4 5.5 5M12.5 20l4-9.5 4 9.5M13.8 17h5.4",
  warning: "M12 4.2l8.8 15.3H3.2zM12 10v4.3M12 16.9v.3",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  folder: "M3.8 6h6l2 2.5h8.4v10H3.8z",
  image: "M4 5h16v14H4zM4 16l4.7-4.5 3.6 3.3 3-2.6 4.7 4M9 9.2v.1",
  export: "M12 15V4M7.5 8.5L12 4l4.5 4.5M5 13v6.5h14V13",
  reset: "M5 5v5h5M5.6 14.5a7 7 0 1 0 .9-6.5L5 10",
  up: "M6 14.5l6-6 6 6",
  down: "M6 9.5l6 6 6-6",
  back: "M19.5 12h-15M10.5 6l-6 6 6 6",
  more:
    "M5.5 10.2a1.8 1.8 0 1 0 0 3.6a1.8 1.8 0 1 0 0-3.6M12 10.2a1.8 1.8 0 1 0 0 3.6a1.8 1.8 0 1 0 0-3.6M18.5 10.2a1.8 1.8 0 1 0 0 3.6a1.8 1.8 0 1 0 0-3.6",
  key: "M8 15.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 11.5h8.5v4M16.5 11.5v3",
  star: "M12 4l2.4 5.2 5.6.6-4.2 3.8 1.2 5.6-5-2.9-5 2.9 1.2-5.6L4 9.8l5.6-.6z",
};

/** @typedef {keyof typeof PATHS} IconName */

const FILLED = new Set(["play", "stop", "star", "more"]);

/** @param {{ name: IconName }} props */
export function Icon({ name }) {
  return html`
    <svg class=${FILLED.has(name) ? "icon filled" : "icon"} viewBox="0 0 24 24" aria-hidden="true">
      <path d=${PATHS[name]} />
    </svg>
  `;
}

// Starts the page: words first, then the shell, which is kept up to date from the server.

import { html } from "htm/preact";
import { render } from "preact";
import { loadTexts } from "./i18n.js";
import { startLive } from "./live.js";
import { Shell } from "./shell.js";

startLive();
await loadTexts();
render(html`<${Shell} />`, document.body);
performance.mark("interactive");

// How the server's words are shown: badges, states, errors. And what stands where there is nothing.

import { html } from "htm/preact";
import { formatPercent, t } from "../i18n.js";
import { errorText } from "../texts.js";
import { Button } from "./controls.js";
import { Icon } from "./icon.js";

/** @import { Badge, ErrorBody, ModelRow } from "../../src/api_types.ts" */
/** @import { ApiError } from "../api.js" */
/** @import { ComponentChildren } from "preact" */

/** Never by colour alone: each has its own sign. */
const SIGNS = {
  recommended: "M7 12.4l3.4 3.4L17 9",
  compatible: "M7.5 12h9",
  not_recommended: "M8.5 8.5l7 7M15.5 8.5l-7 7",
};

/** @param {{ badge: Pick<Badge, "level"> | null, best?: boolean }} props */
export function BadgeMark({ badge, best = false }) {
  if (badge === null) return html`<span class="badge unknown">${t("badge.unknown")}</span>`;
  const { level } = badge;
  return html`
    <span class=${`badge ${level}`}>
      <svg class="sign" viewBox="0 0 24 24" aria-hidden="true">
        <circle cx="12" cy="12" r="11" /><path d=${SIGNS[level]} />
      </svg>
      ${t(`badge.${level}`)}
    </span>
    ${best && html`<span class="best-mark"><${Icon} name="star" />${t("badge.best")}</span>`}
  `;
}

/** @param {{ model: Pick<ModelRow, "state" | "port" | "progress"> }} props */
export function StateMark({ model }) {
  return html`
    <span class=${`state ${model.state}`}>
      <svg class="dot" viewBox="0 0 12 12" aria-hidden="true"><circle cx="6" cy="6" r="5" /></svg>
      ${stateWords(model)}
    </span>
  `;
}

/** @param {Pick<ModelRow, "state" | "port" | "progress">} model */
function stateWords({ state, port, progress }) {
  // A port is a name, not an amount: typed as it is shown.
  if (state === "ready" && port !== null) return t("state.ready_port", { port: String(port) });
  if (state === "loading" && progress !== null) {
    return t("state.loading_progress", { progress: formatPercent(progress) });
  }
  return t(`state.${state}`);
}

/** @param {{ error: ApiError | ErrorBody, onRetry?: () => unknown }} props */
export function ErrorNote({ error, onRetry }) {
  return html`
    <div class="error-note" role="alert">
      <${Icon} name="warning" />
      <p>${errorText(error)}</p>
      ${onRetry !== undefined &&
        html`<${Button} kind="plain" icon="reset" onClick=${onRetry}>${
          t("shell.retry")
        }</${Button}>`}
    </div>
  `;
}

/** @param {{ title: string, text?: string, children?: ComponentChildren }} props */
export function Empty({ title, text, children }) {
  return html`
    <div class="empty">
      <h2>${title}</h2>
      ${text !== undefined && html`<p class="muted">${text}</p>`}
      ${children !== undefined && html`<div class="row">${children}</div>`}
    </div>
  `;
}

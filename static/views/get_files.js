// The files of one model: each quantization with its size, its fit and what can be done with it.

import { html } from "htm/preact";
import { formatBytes, t } from "../i18n.js";
import { BadgeMark } from "../parts/words.js";
import { badgeReason } from "../texts.js";
import { ModelAction } from "./get_actions.js";
import { SpeedBar } from "./get_fit.js";

/** @import { HubModel } from "../../src/api_types.ts" */

/**
 * @param {{ repo: string, files: readonly HubModel[], name: string }} props
 */
export function FileList({ repo, files, name }) {
  const choice = choiceOf(files);
  return html`<ul class="get-files">
    ${
    files.map((model) =>
      html`
        <${FileRow} key=${model.file} repo=${repo} model=${model} name=${name}
          isChoice=${model === choice} />
      `
    )
  }
  </ul>`;
}

/**
 * @param {{ repo: string, model: HubModel, name: string, isChoice: boolean }} props
 */
function FileRow({ repo, model, name, isChoice }) {
  const { quantization, id, badge, fit } = model;
  const kind = quantization ?? id;
  return html`
    <li class="get-file">
      <div class="get-file-what">
          <p class="get-file-name"><strong>${kind}</strong> ${formatBytes(model.size_bytes)}</p>
          ${isChoice && html`<p class="tag get-choice">${t("get.choice")}</p>`}
          ${model.parts > 1 && html`<p class="muted">${t("get.parts", { count: model.parts })}</p>`}
          ${model.projector !== null && html`<p class="muted">${t("get.with_projector")}</p>`}
      </div>
      <div class="get-file-fit">
          ${badge === null ? html`<p class="muted">${t("get.fit_unknown")}</p>` : html`
            <${BadgeMark} badge=${badge} />
            <p class="get-reason">${badgeReason(badge)}</p>
          `}
      </div>
      <div class="get-file-speed">${fit !== null && fit.tokens_per_second !== null &&
        html`<${SpeedBar} fit=${fit} />`}</div>
      <div class="get-file-action">
        <${ModelAction} repo=${repo} model=${model} name=${`${name} ${kind}`} kind=${isChoice
          ? "primary"
          : "plain"} />
      </div>
    </li>
  `;
}

/**
 * The largest of the best that fits; null where none does.
 *
 * @param {readonly HubModel[]} files
 * @returns {HubModel | null}
 */
export function choiceOf(files) {
  for (const level of ["recommended", "compatible"]) {
    const fitting = files.filter(({ badge }) => badge?.level === level)
      .sort((a, b) => b.size_bytes - a.size_bytes);
    if (fitting[0] !== undefined) return fitting[0];
  }
  return null;
}

// The models that other programs keep on this computer, used where they lie.

import { html } from "htm/preact";
import { useId, useState } from "preact/hooks";
import { api, ApiError } from "../api.js";
import { formatBytes, t, tx } from "../i18n.js";
import { Button, CodeBlock, Field } from "../parts/controls.js";
import { Icon } from "../parts/icon.js";
import { toast } from "../parts/overlays.js";
import { BadgeMark, Empty, ErrorNote } from "../parts/words.js";
import { hrefOf } from "../router.js";
import { modelById } from "../store.js";
import { badgeReason, errorText } from "../texts.js";
import { UseModel } from "./get_actions.js";
import { useAnswer } from "./get_ask.js";

/** @import { ImportList, ImportRow } from "../../src/api_types.ts" */

/** Own names of programs; what else there is has words. */
const PROGRAMS = new Map([
  ["ollama", "Ollama"],
  ["lm_studio", "LM Studio"],
  ["huggingface", "Hugging Face"],
  ["llama_cpp", "llama.cpp"],
  ["jan", "Jan"],
  ["gpt4all", "GPT4All"],
]);
/** As many as the server takes at once. */
const MOST_AT_ONCE = 100;

export function Import() {
  const { value, error, isAsking, again } = useAnswer("/admin/import");
  const list = /** @type {ImportList | null} */ (value);
  return html`<div class="stack get-import">
    <p class="get-lead">${t("get.import_lead")}</p>
    ${error !== null && html`<${ErrorNote} error=${error} onRetry=${again} />`}
    ${
    list === null && error === null && html`<p class="muted" role="status">${t("get.looking")}</p>`
  }
    ${list !== null && html`<${Found} list=${list} isAsking=${isAsking} again=${again} />`}
    <${OtherFolder} again=${again} />
    ${list !== null && list.places.length > 0 && html`<${Places} list=${list} />`}
  </div>`;
}

/** @param {{ list: ImportList, isAsking: boolean, again: () => void }} props */
function Found({ list, isAsking, again }) {
  const { models } = list;
  const usable = models.filter((row) => !row.imported && row.error === null);
  const programs = [...new Set(models.map(({ program }) => program))];
  return html`
    <div class="row get-import-head">
      <p role="status">${isAsking
        ? t("get.looking")
        : t("get.import_count", { count: models.length })}</p>
      <${Button} kind="quiet" icon="search" disabled=${isAsking}
        onClick=${again}>${t(
          "get.look_again",
        )}</${Button}>
          ${usable.length > 1 && html`
            <${Button} kind="plain" icon="plus"
              onClick=${() =>
                register(usable.slice(0, MOST_AT_ONCE).map(({ path }) => path), again)}>${t(
                  "get.import_all",
                  { count: usable.length },
                )}</${Button}>
          `}
    </div>
        ${models.length === 0 && !isAsking &&
          html`<${Empty} title=${t("get.import_none_title")} text=${t("get.import_none_text")} />`}
        ${programs.map((program) =>
          html`
            <section key=${program} class="get-program">
              <h2>${programName(program)}</h2>
              <ul class="get-imports">${models.filter((row) => row.program === program).map((row) =>
                html`<${ImportCard} key=${row.path} row=${row} again=${again} />`
              )}</ul>
            </section>
          `
        )}
  `;
}

/** @param {{ row: ImportRow, again: () => void }} props */
function ImportCard({ row, again }) {
  const model = modelById(row.id).value;
  return html`
    <li class="card get-import-card">
      <div class="get-import-what">
        <h3>${row.name}</h3>
        <p class="get-numbers"><span>${formatBytes(row.size_bytes)}</span>
            ${row.quantization !== null && html`<span>${row.quantization}</span>`}
            ${row.parts.length > 1 &&
              html`<span>${t("get.parts", { count: row.parts.length })}</span>`}
            ${row.projector !== null && html`<span>${t("get.with_projector")}</span>`}
        </p>
        <details class="get-where">
          <summary>${t("get.where")}<span class="visually-hidden"> ${row.name}</span></summary>
          <p class="get-path">${row.path}</p>
        </details>
      </div>
      <div class="get-file-fit">
          ${row.error !== null
            ? html`<p class="get-broken"><${Icon} name="warning" /> ${errorText(row.error)}</p>`
            : row.badge === null
            ? html`<p class="muted">${t("get.fit_unknown")}</p>`
            : html`
              <${BadgeMark} badge=${row.badge} />
              <p class="get-reason">${badgeReason(row.badge)}</p>
            `}
      </div>
      <div class="get-file-action">
          ${row.imported
            ? model === null
              ? html`<p class="get-here"><${Icon} name="check" /> ${t("get.imported")}</p>`
              : html`<${UseModel} model=${model} />`
            : row.error === null && html`
              <${Button} kind="primary" icon="plus"
                onClick=${() => register([row.path], again)}>
                          ${t("get.import_one")}<span class="visually-hidden"> ${row.name}</span>
              </${Button}>
            `}
      </div>
    </li>
  `;
}

/**
 * A folder or a file that the list does not name; where the server may not read, the command that
 * lets it.
 *
 * @param {{ again: () => void }} props
 */
function OtherFolder({ again }) {
  const [path, setPath] = useState("");
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const title = useId();
  /** @param {SubmitEvent} event */
  function submit(event) {
    event.preventDefault();
    void use();
  }
  async function use() {
    if (path.trim() === "") return;
    try {
      await register([path.trim()], again);
      setError(null);
      setPath("");
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) throw thrown;
      setError(thrown);
    }
  }
  return html`
    <section class="card get-other" aria-labelledby=${title}>
      <h2 id=${title}>${t("get.other_title")}</h2>
      <form class="get-other-form" onSubmit=${submit}>
        <${Field} label=${t("get.other_label")} hint=${t("get.other_hint")}>
          <input type="text" value=${path} spellcheck=${false} autocomplete="off" dir="ltr"
            onInput=${(/** @type {Event & { currentTarget: HTMLInputElement }} */ event) =>
              setPath(event.currentTarget.value)} />
          </${Field}>
          <${Button} kind="plain" icon="plus" onClick=${use}>${t("get.import_one")}</${Button}>
      </form>
        ${error !== null && html`<${Refused} error=${error} />`}
    </section>
  `;
}

/** @param {{ error: ApiError }} props */
function Refused({ error }) {
  const { reason, command, model } = error.values;
  if (reason === "known" && typeof model === "string") {
    return html`<p role="alert">${
      tx("get.other_known", {
        model: html`<a href=${hrefOf("chat", model)}>${model}</a>`,
      })
    }</p>`;
  }
  if (reason === "not_there") {
    return html`<p role="alert" class="get-note">${t("get.other_not_there")}</p>`;
  }
  if (reason !== "outside") return html`<${ErrorNote} error=${error} />`;
  return html`<div role="alert" class="get-note stack">
    <p>${t("get.other_outside")}</p>
    ${
    typeof command === "string" &&
    html`<${CodeBlock} text=${command} label=${t("get.other_command")} />`
  }
  </div>`;
}

/** @param {{ list: ImportList }} props */
function Places({ list }) {
  return html`
    <details class="get-places">
      <summary>${t("get.places", { count: list.places.length })}</summary>
      <ul>${list.places.map((place) =>
        html`<li key=${`${place.program} ${place.path}`}>
        <strong>${programName(place.program)}</strong> <span class="get-path">${place.path}</span>
        <span class="muted">${t("get.place_found", { count: place.found })}</span>
        ${
          place.error !== null &&
          html`<p class="get-broken"><${Icon} name="warning" /> ${errorText(place.error)}</p>`
        }
        </li>`
      )}</ul>
    </details>
  `;
}

/**
 * @param {string[]} paths
 * @param {() => void} again
 */
async function register(paths, again) {
  /** @type {ImportRow[]} */
  const rows = await api.post("/admin/import", { paths });
  toast(t("get.import_done", { count: rows.length }), { kind: "done" });
  again();
}

/** @param {string} program */
function programName(program) {
  return PROGRAMS.get(program) ??
    t(program === "drive" ? "get.program_drive" : "get.program_folder");
}

// What can be done with one model file of the Hub: download it, watch it come, use it.

import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { useComputed } from "@preact/signals";
import { api, segment } from "../api.js";
import { formatBytes, t } from "../i18n.js";
import { Button } from "../parts/controls.js";
import { Icon } from "../parts/icon.js";
import { Progress } from "../parts/measures.js";
import { confirmDialog, refocus, toast } from "../parts/overlays.js";
import { StateMark } from "../parts/words.js";
import { badgeReason } from "../texts.js";
import { applyDownloads, downloads, modelById, putModel, system } from "../store.js";
import { hrefOf } from "../router.js";
import { amountText, shareOf, stateText } from "./get_words.js";

/** @import { DownloadRow, HubModel, ModelRow } from "../../src/api_types.ts" */

const CAN_CHAT = ["chat", "completion"];

/**
 * The button of a model file, or what has become of it.
 *
 * @param {{ repo: string, model: HubModel, name: string, kind?: "primary" | "plain" }} props
 */
export function ModelAction({ repo, model, name, kind = "plain" }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const found = useComputed(() => downloadOf(repo, model.file));
  async function begin() {
    await download(repo, model, name);
    refocus(() => place.current?.querySelector("button") ?? null);
  }
  return html`
    <div class="get-action" ref=${place}>
      <${ActionNow} row=${found.value} model=${model} name=${name} kind=${kind}
        begin=${begin} />
    </div>
  `;
}

/**
 * @param {{
 *   row: DownloadRow | null,
 *   model: HubModel,
 *   name: string,
 *   kind: "primary" | "plain",
 *   begin: () => Promise<void>,
 * }} props
 */
function ActionNow({ row, model, name, kind, begin }) {
  if (row !== null && row.state !== "done") return html`<${Underway} row=${row} name=${name} />`;
  if (row !== null || model.installed) {
    const here = modelById(row?.model ?? model.id).value;
    if (here !== null) return html`<${UseModel} model=${here} />`;
    // Under another name, since this one was taken.
    if (model.installed) {
      return html`<p class="get-here"><${Icon} name="check" /> <a href=${hrefOf("models")}>${
        t("get.installed")
      }</a></p>`;
    }
  }
  return html`<${Button} kind=${kind} icon="download" onClick=${begin}>
    ${t("get.download")}<span class="visually-hidden"> ${name}</span>
  </${Button}>`;
}

/** @param {{ row: DownloadRow, name: string }} props */
function Underway({ row, name }) {
  return html`
    <div class="get-underway">
      <${Progress} value=${shareOf(row)} label=${t("get.progress_of", { name })} />
      <p class="get-underway-words"><span>${stateText(row)}</span> <span>${amountText(
        row,
      )}</span></p>
      <${PauseButton} row=${row} name=${name} />
    </div>
  `;
}

/**
 * Pauses, and goes on: one button, so that whoever pressed it keeps the focus.
 *
 * @param {{ row: DownloadRow, name: string }} props
 */
export function PauseButton({ row, name }) {
  const rests = row.state === "paused" || row.state === "failed" || row.state === "waiting";
  const words = !rests ? "get.pause" : row.state === "paused" ? "get.resume" : "get.try_now";
  return html`
    <${Button} kind=${rests ? "primary" : "plain"} icon=${rests ? "play" : "pause"}
      onClick=${() => act(row, rests ? "resume" : "pause")}>
        ${t(words)}<span class="visually-hidden"> ${name}</span>
    </${Button}>
  `;
}

/**
 * A model that is here: talk to it, or load it.
 *
 * @param {{ model: ModelRow }} props
 */
export function UseModel({ model }) {
  const { id, state, capabilities } = model;
  const canChat = capabilities.length === 0 || capabilities.some((each) => CAN_CHAT.includes(each));
  const canRun = state === "stopped" || state === "failed";
  const hidden = html`<span class="visually-hidden"> ${id}</span>`;
  return html`
    <div class="get-use">
      <p class="get-here"><${Icon} name="check" /> ${t("get.installed")}</p>
      <div class="row">
          ${canChat && html`<a class="button primary" href=${hrefOf("chat", id)}>
        <${Icon} name="chat" /> ${t("get.chat")}${hidden}
          </a>`}
          ${canRun
            ? html`<${Button} kind="plain" icon="play" onClick=${() => run(id)}>${
              t("get.run")
            }${hidden}</${Button}>`
            : html`<${StateMark} model=${model} />`}
      </div>
    </div>
  `;
}

/** @param {string} id */
async function run(id) {
  putModel(await api.post(`/admin/models/${segment(id)}/load?wait=false`));
}

/**
 * @param {DownloadRow} row
 * @param {"pause" | "resume"} action
 */
async function act(row, action) {
  applyDownloads([await api.post(`/admin/downloads/${segment(row.id)}/${action}`)]);
}

/**
 * Asks before what would be for nothing: a model that does not fit, one that the disk cannot hold.
 *
 * @param {string} repo
 * @param {HubModel} model
 * @param {string} name
 */
async function download(repo, model, name) {
  const free = system.peek()?.disk.free_bytes ?? null;
  const doubts = [];
  if (model.badge?.level === "not_recommended") doubts.push(badgeReason(model.badge));
  if (free !== null && model.size_bytes > free) {
    doubts.push(t("get.disk_doubt", {
      need: formatBytes(model.size_bytes),
      free: formatBytes(free),
    }));
  }
  if (doubts.length > 0) {
    const isSure = await confirmDialog({
      title: t("get.doubt_title", { name }),
      text: doubts.join(" "),
      confirm: t("get.download_anyway"),
      danger: false,
    });
    if (!isSure) return;
  }
  const row = await api.post("/admin/downloads", { repo, file: model.file });
  applyDownloads([row]);
  toast(t("get.download_begun", { name }), { kind: "info" });
}

/**
 * Of one that was tried twice the one that is there.
 *
 * @param {string} repo
 * @param {string} file
 * @returns {DownloadRow | null}
 */
function downloadOf(repo, file) {
  const wanted = repo.toLowerCase();
  return downloads.value.find((row) => row.file === file && row.repo.toLowerCase() === wanted) ??
    null;
}

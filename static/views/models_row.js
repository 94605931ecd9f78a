// One model: what it is, how it is, and what can be done with it.

import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { api, segment } from "../api.js";
import { formatBytes, formatDuration, formatNumber, t } from "../i18n.js";
import { Button } from "../parts/controls.js";
import { Icon } from "../parts/icon.js";
import { Progress } from "../parts/measures.js";
import { confirmDialog, toast } from "../parts/overlays.js";
import { BadgeMark, ErrorNote, StateMark } from "../parts/words.js";
import { hrefOf } from "../router.js";
import { modelById, putModel } from "../store.js";
import { badgeReason } from "../texts.js";

/** @import { ModelRow } from "../../src/api_types.ts" */

const SECOND_MS = 1_000;
/** What a person may want to know of it; the rest is how it works. */
const TOLD = ["chat", "vision", "audio", "embedding", "rerank", "tools", "thinking"];
/** Failures that another file cures, and those that a smaller model does. */
const BAD_FILE = new Set(["model_file_invalid", "model_missing"]);
const TOO_LARGE = new Set(["out_of_memory"]);

/** @param {{ id: string }} props */
export function ModelCard({ id }) {
  const row = modelById(id).value;
  if (row === null) return null;
  const isLoaded = row.state === "ready" || row.state === "loading" || row.state === "stopping";
  return html`
    <li class=${`card model-card ${row.state}`}>
      <div class="model-about">
        <h2 class="model-name">${row.id}</h2>
        <p class="model-facts muted">${factsOf(row).join(" · ")}</p>
        ${row.badge !== null && !isLoaded && row.error === null &&
          html`<${Suits} badge=${row.badge} />`}
      </div>
      <div class="model-state">
        <${StateMark} model=${row} />
        <${InUse} row=${row} />
      </div>
      <${Actions} row=${row} />
      ${row.state === "loading" &&
        html`<${Progress} value=${row.progress} label=${t("models.loading", { model: id })} />`}
      ${row.error !== null && html`<${Trouble} row=${row} error=${row.error} />`}
    </li>
  `;
}

/** @param {{ badge: NonNullable<ModelRow["badge"]> }} props */
function Suits({ badge }) {
  return html`
    <p class="model-suits"><${BadgeMark} badge=${badge} /><span class="muted">${badgeReason(
      badge,
    )}</span></p>
  `;
}

/** @param {ModelRow} row */
function factsOf(row) {
  return [
    ...(row.builtin ? [t("models.builtin")] : []),
    formatBytes(row.size_bytes),
    ...(row.quantization === null ? [] : [row.quantization]),
    ...(row.context_length === null
      ? []
      : [t("models.context", { context: formatNumber(row.context_length) })]),
    ...row.capabilities.filter((each) => TOLD.includes(each)).map((each) =>
      t(`models.can.${each}`)
    ),
    ...(row.source === "import" || row.source === "folder"
      ? [t(`models.source.${row.source}`)]
      : []),
  ];
}

/** Memory, work, and when it goes to sleep. @param {{ row: ModelRow }} props */
function InUse({ row }) {
  const { state, memory_bytes: memory, leases, queued, pinned, expires_at: expires } = row;
  if (state !== "ready") {
    return pinned
      ? html`<span class="tag"><${Icon} name="pin" />${t("models.pinned")}</span>`
      : null;
  }
  return html`
    <span class="model-use muted">
      ${memory !== null &&
        html`<span>${t("models.memory", { memory: formatBytes(memory) })}</span>`}
      ${leases > 0
        ? html`<span>${t("models.answering", { count: leases })}</span>`
        : pinned
        ? html`<span class="tag"><${Icon} name="pin" />${t("models.pinned")}</span>`
        : expires !== null
        ? html`<${Countdown} until=${expires} />`
        : row.keep_alive_ms === -1 && html`<span>${t("models.forEver")}</span>`}
      ${queued > 0 && html`<span>${t("models.queued", { count: queued })}</span>`}
    </span>
  `;
}

/** @param {{ until: string }} props An ISO time. */
function Countdown({ until }) {
  const [nowMs, setNowMs] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), SECOND_MS);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, (Date.parse(until) - nowMs) / SECOND_MS);
  return html`<span class="model-sleep">${
    t("models.sleepsIn", { time: formatDuration(seconds) })
  }</span>`;
}

/** @param {{ row: ModelRow }} props */
function Actions({ row }) {
  const { id, state, pinned } = row;
  const path = `/admin/models/${segment(id)}`;
  const canTalk = row.capabilities.length === 0 || row.capabilities.includes("chat") ||
    row.capabilities.includes("completion");
  const isLoaded = state === "ready" || state === "loading";
  // What goes wrong from here on is shown by the row itself.
  const run = async () => putModel(await api.post(`${path}/load?wait=false`));
  const end = async () => {
    if (
      row.leases > 0 && !await confirmDialog({
        title: t("models.stopTitle", { model: id }),
        text: t("models.stopText", { count: row.leases }),
        confirm: t("models.stop"),
        danger: true,
      })
    ) return;
    putModel(await api.post(`${path}/unload`, { force: row.leases > 0 || state === "loading" }));
  };
  const pin = async () => putModel(await api.post(`${path}/${pinned ? "unpin" : "pin"}`));
  return html`
    <div class="model-actions">
      ${isLoaded || state === "stopping"
        ? html`
          <${Button} kind="plain" icon="stop" busy=${state === "stopping"} onClick=${end}
            aria-label=${t("models.stopNamed", { model: id })}>${t("models.stop")}</${Button}>
        `
        : html`
          <${Button} kind="primary" icon="play" disabled=${state === "missing"} onClick=${run}
            aria-label=${t("models.runNamed", { model: id })}>${t("models.run")}</${Button}>
        `}
      ${canTalk && state !== "missing" && html`
        <a class="button plain" href=${hrefOf("chat", id)} aria-label=${t("models.chatNamed", {
          model: id,
        })}>
          <${Icon} name="chat" />${t("models.chat")}
        </a>
      `}
      <span class="model-small-actions">
        <${Button} kind="quiet" class="round" aria-pressed=${pinned ? "true" : "false"}
          aria-label=${t("models.pinNamed", { model: id })} title=${t(
            pinned ? "models.unpin" : "models.pin",
          )} onClick=${pin}>
          <${Icon} name="pin" />
        </${Button}>
        <a class="button quiet round" href=${hrefOf("settings", id)} title=${t("models.settings")}
          aria-label=${t("models.settingsNamed", { model: id })}><${Icon} name="settings" /></a>
        ${(row.source === "home" || row.source === "import") && html`
          <${Button} kind="quiet" class="round" aria-label=${t("models.deleteNamed", { model: id })}
            title=${t("models.delete")} onClick=${() => remove(row)}>
            <${Icon} name="trash" />
            </${Button}>
        `}
      </span>
    </div>
  `;
}

/** @param {ModelRow} row */
async function remove({ id, source, size_bytes: size }) {
  const path = `/admin/models/${segment(id)}`;
  const isSure = await confirmDialog({
    title: t("models.deleteTitle", { model: id }),
    text: source === "import"
      ? t("models.forgetText")
      : t("models.deleteText", { size: formatBytes(size) }),
    confirm: t("models.delete"),
    danger: true,
  });
  if (!isSure) return;
  const state = modelById(id).peek()?.state;
  if (state === "ready" || state === "loading" || state === "stopping") {
    await api.post(`${path}/unload`, { force: true });
  }
  await api.del(path);
  toast(t("models.deleted", { model: id }), { kind: "done" });
}

/** What went wrong, what to do, and for who wants to know the last words of the process. */
function Trouble(
  /** @type {{ row: ModelRow, error: NonNullable<ModelRow["error"]> }} */ { row, error },
) {
  return html`
    <div class="model-trouble">
      <${ErrorNote} error=${error} />
      <div class="row">
        ${(TOO_LARGE.has(error.code) || BAD_FILE.has(error.code)) && html`
          <a href=${hrefOf("get")}>${t(
            TOO_LARGE.has(error.code) ? "models.smaller" : "models.again",
          )}</a>
        `}
        ${!BAD_FILE.has(error.code) &&
          html`<a href=${hrefOf("settings", row.id)}>${t("models.changeSettings")}</a>`}
      </div>
      ${error.log.length > 0 && html`
        <details>
          <summary>${t("models.lastLines")}</summary>
          <pre class="model-log" tabindex="0" role="region" aria-label=${t("models.lastLines")}
            lang="en">${error.log.join("\n")}</pre>
        </details>
      `}
    </div>
  `;
}

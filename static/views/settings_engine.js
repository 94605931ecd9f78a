// The engine: which builds of llama.cpp are here, which one is used, which could be installed; and the
// cage that its processes run in.

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { api } from "../api.js";
import { formatBytes, hasText, language, t } from "../i18n.js";
import { Button } from "../parts/controls.js";
import { Progress } from "../parts/measures.js";
import { confirmDialog } from "../parts/overlays.js";
import { ErrorNote } from "../parts/words.js";
import { system } from "../store.js";
import { useAnswer } from "./get_ask.js";

/** @import { AvailableRuntime, InstalledRuntime, RuntimeList } from "../../src/api_types.ts" */
/** @import { Asked } from "./get_ask.js" */
/** @typedef {(action: string, subject: Record<string, unknown>) => Promise<void>} Change */

const PATH = "/admin/runtimes";
const LOOK_MS = 500;

export function Engine() {
  const { value: list, error, again } = /** @type {Asked<RuntimeList>} */ (useAnswer(PATH));
  const job = list?.job ?? null;
  const isInstalling = job?.state === "installing";
  useEffect(() => {
    if (!isInstalling) return;
    const timer = setTimeout(again, LOOK_MS);
    return () => clearTimeout(timer);
  }, [list]);

  /** @type {Change} */
  async function change(action, subject) {
    await api.post(PATH, { action, ...subject });
    again();
  }

  const name = job && variantOf(job);
  const installing = t("settings.engine.installing", { name });
  const active = list?.installed.find((row) => row.active);
  const offers = list?.available.filter(({ installed, offered, code }) =>
    installed === null && (offered || !code.startsWith("no_"))
  );
  return html`<details class="card setting-group" data-group="engine">
    <summary>${t("settings.group.engine")}
      ${active !== undefined && html`<span class="tag setting-tag">${nameOf(active)}</span>`}
    </summary>
    <p class="muted">${t("settings.engine.text")}</p>
    ${error !== null && html`<${ErrorNote} error=${error} onRetry=${again} />`}
    ${
    typeof list?.flag === "string" &&
    html`<p class="muted">${t("settings.decided", { name: "--llama-server" })}</p>`
  }
    ${
    list?.installed.map((row) =>
      html`
        <${Installed} key=${row.name} row=${row} change=${change}
          canUse=${list.flag === null && !isInstalling} />
      `
    )
  }
    ${
    isInstalling && html`
      <div class="setting">
        <div>
          <p>${installing}</p>
          <${Progress} value=${job.progress} label=${installing} />
        </div>
        <div class="row">
          <${Button}
            onClick=${() => change("cancel", { variant: job.variant })}>${t(
              "shell.cancel",
            )}</${Button}>
        </div>
      </div>
    `
  }
    ${
    job?.state === "cancelled" &&
    html`<p role="status">${t("settings.engine.cancelled", { name })}</p>`
  }
    ${job?.state === "failed" && job.error !== null && html`<${ErrorNote} error=${job.error} />`}
    ${
    offers?.map((row) =>
      html`<${Offer} key=${row.variant} row=${row} change=${change} busy=${isInstalling} />`
    )
  }
    <${Cage} />
  </details>`;
}

/** @param {{ row: InstalledRuntime, canUse: boolean, change: Change }} props */
function Installed({ row, canUse, change }) {
  const { active, build, devices, refusal, removable, size_bytes, verified } = row;
  const name = nameOf(row);
  async function remove() {
    const title = t("settings.engine.remove", { name });
    const isSure = await confirmDialog({ title, confirm: title, danger: true });
    if (isSure) await change("remove", { name: row.name });
  }
  const facts = [
    build !== null && t("home.build", { build: String(build) }),
    devices.map((device) => device.description).join(", ") || t("settings.engine.processor"),
    size_bytes !== null && formatBytes(size_bytes),
  ];
  return html`
    <div class="setting">
      <div>
        <strong>${name}</strong>${" "}
        ${active &&
          html`<span class="tag setting-tag chosen">${t("settings.engine.in_use")}</span>`}
        ${verified === "unverified" &&
          html`<span class="tag">${t("settings.engine.unverified")}</span>`}
        <p class="muted small">${facts.filter(Boolean).join(" · ")}</p>
        ${refusal !== null &&
          html`<p>${language.value === "en" ? refusal : t("error.runtime_refused.unusable")}</p>`}
      </div>
      <div class="row">
        ${canUse && !active && refusal === null && html`
          <${Button} onClick=${() => change("use", { name: row.name })}>${t("settings.engine.use", {
            name,
          })}</${Button}>
        `}
        ${removable && html`
          <${Button} kind="quiet" icon="trash" onClick=${remove}>${t("settings.engine.remove", {
            name,
          })}</${Button}>
        `}
      </div>
    </div>
  `;
}

/** @param {{ row: AvailableRuntime, busy: boolean, change: Change }} props */
function Offer({ row, busy, change }) {
  const { code, offered, recommended, size_bytes, values, variant, verified } = row;
  const name = variantOf(row);
  const install = t("settings.engine.install", { name });
  async function begin() {
    const unverified = verified === "unverified";
    const text = t("settings.engine.ask");
    if (unverified && !await confirmDialog({ title: install, text, confirm: install })) return;
    await change("install", { variant, ...(unverified && { unverified }) });
  }
  return html`
    <div class="setting">
      <div>
        <strong>${name}</strong>${" "}
        ${recommended && html`<span class="tag">${t("badge.recommended")}</span>`}
        ${verified === "unverified" &&
          html`<span class="tag">${t("settings.engine.unverified")}</span>`}
        <p class="muted small">${offered
          ? formatBytes(size_bytes)
          : t(`settings.engine.why.${code}`, values)}</p>
      </div>
      ${offered &&
        html`
          <div class="row">
            <${Button} icon="download" disabled=${busy}
              onClick=${begin}>${install}</${Button}></div>
        `}
    </div>
  `;
}

function Cage() {
  if (system.value === null) return null;
  const { active, mode, reason } = system.value.cage;
  const key = active ?? (mode === "off" ? mode : reason === null ? "later" : "none");
  return html`<p class="setting-cage"><strong>${t("settings.cage")}</strong>${" "}${
    t(`settings.cage.${key}`)
  }${" "}${mode !== "off" && reason !== null && language.value === "en" && reason}</p>`;
}

/** @param {InstalledRuntime} row */
function nameOf({ name, source }) {
  const key = `settings.engine.${source}`;
  return hasText(key) ? t(key) : name;
}

/** @param {{ variant: string }} row */
function variantOf({ variant }) {
  const key = `settings.engine.for.${variant}`;
  return hasText(key) ? t(key) : variant;
}

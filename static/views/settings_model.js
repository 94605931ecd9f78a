// Settings of one model, and the command line that a load with them would be.

import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { api, ApiError, segment } from "../api.js";
import { formatNumber, t } from "../i18n.js";
import { Button, CodeBlock, Field } from "../parts/controls.js";
import { ErrorNote, StateMark } from "../parts/words.js";
import { go } from "../router.js";
import { modelById, models, online } from "../store.js";
import { commandText, MODEL_GROUPS, SAMPLING, toText } from "./settings_fields.js";
import { SettingRow } from "./settings_row.js";
import { serverSetting } from "./settings_server.js";

/** @import { ModelSettings as Settings } from "../../src/api_types.ts" */
/** @import { FieldGroup, SettingField } from "./settings_fields.js" */

/** Where an empty field means that there is nothing. @type {ReadonlySet<SettingField["kind"]>} */
const WITHOUT_DEFAULT = new Set(["names", "arguments", "paths", "line"]);

/** @param {{ chosen: string | null }} props From the address. */
export function ModelSettings({ chosen }) {
  const all = models.value;
  const id = chosen ?? all[0]?.id ?? null;
  if (id === null) return html`<p class="muted">${t("settings.no_models")}</p>`;
  const isKnown = all.some((model) => model.id === id);
  return html`
    <div class="stack">
      <div class="card stack">
        <${Field} label=${t("settings.choose_model")}>
          <select name="model" onChange=${(/** @type {Event} */ event) =>
            go("settings", /** @type {HTMLSelectElement} */ (event.currentTarget).value)}>
              ${!isKnown && html`<option value=${id} selected>${id}</option>`}
              ${all.map((model) =>
                html`<option key=${model.id} value=${model.id} selected=${
                  model.id === id
                }>${model.id}</option>`
              )}
            </select>
          </${Field}>
          <${OneModel} key=${id} id=${id} isChosen=${chosen !== null} />
          </div>
          </div>
  `;
}

/** @param {{ id: string, isChosen: boolean }} props */
function OneModel({ id, isChosen }) {
  const settings = useSignal(/** @type {Settings | null} */ (null));
  const command = useSignal(/** @type {string[] | null} */ (null));
  const failure = useSignal(/** @type {ApiError | null} */ (null));
  const isWaiting = useSignal(false);
  const row = modelById(id).value;
  const state = row?.state ?? "stopped";
  const isLive = state === "ready" || state === "loading";
  const path = `/admin/models/${segment(id)}`;

  async function look() {
    try {
      settings.value ??= await api.get(`${path}/settings`);
      command.value = (await api.get(`${path}/command`)).command;
      failure.value = null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      command.value = null;
      failure.value = error;
    }
  }
  useEffect(() => {
    if (online.value) void look();
  }, [online.value, state]);
  useEffect(() => {
    if (!isLive) isWaiting.value = false;
  }, [isLive]);

  /**
   * @param {SettingField} field
   * @param {unknown} value
   */
  async function save({ name }, value) {
    const before = settings.peek();
    if (before === null) return;
    /** @type {Record<string, unknown>} */
    const change = SAMPLING.has(name)
      ? { sampling: withSampling(before, name, value) }
      : { [name]: value ?? emptyOf(/** @type {keyof Settings} */ (name)) };
    const { applies, ...kept } = await api.put(`${path}/settings`, change);
    settings.value = kept;
    if (applies === "next load") isWaiting.value = true;
    await look();
  }

  async function loadAgain() {
    await api.post(`${path}/unload`);
    await api.post(`${path}/load?wait=false`);
    isWaiting.value = false;
  }

  return html`
    ${row !== null && html`
      <div class="row">
        <${StateMark} model=${row} />
      </div>
    `}
    ${isWaiting.value && html`
      <div class="setting-note row" role="status">
        <span>${t("settings.next_load")}</span>
        <${Button} kind="primary" icon="reset" onClick=${loadAgain}>${t(
          "settings.load_again",
        )}</${Button}>
          </div>
    `}
    ${settings.value !== null && MODEL_GROUPS.map((group, index) =>
      html`
        <${ModelGroup} key=${group.id} group=${group} settings=${settings.value}
          command=${command.value} isOpen=${isChosen && index === 0} onSave=${save} />
      `
    )}
    <div class="setting-command">
      <h3>${t("settings.command")}</h3>
      <p class="muted">${t("settings.command.hint")}</p>
      ${failure.value !== null && html`<${ErrorNote} error=${failure.value} onRetry=${look} />`}
      ${command.value !== null && html`
        <${CodeBlock} label=${t("settings.command")}
          text=${commandText(command.value)} />
      `}
    </div>
  `;
}

/**
 * @param {{
 *   group: FieldGroup,
 *   settings: Settings,
 *   command: string[] | null,
 *   isOpen: boolean,
 *   onSave: (field: SettingField, value: unknown) => Promise<void>,
 * }} props
 */
function ModelGroup({ group, settings, command, isOpen, onSave }) {
  const chosen = group.fields.filter((field) => !isEmpty(valueOf(settings, field.name))).length;
  return html`<details class="setting-group inner" open=${isOpen} data-group=${group.id}>
    <summary>${t(`settings.group.${group.id}`)}
      ${
    chosen > 0 &&
    html`<span class="tag setting-tag chosen">${t("settings.chosen", { count: chosen })}</span>`
  }
    </summary>
    ${
    group.fields.map((field) => {
      const value = valueOf(settings, field.name);
      return html`
        <${SettingRow} key=${field.name} of="model" field=${field}
          value=${isEmpty(value) ? null : value} source=${sourceOf(field, value)}
          automatic=${automaticOf(field, command)}
          onSave=${(/** @type {unknown} */ wanted) => onSave(field, wanted)} />
      `;
    })
  }
  </details>`;
}

/**
 * @param {Settings} settings
 * @param {string} name
 * @returns {unknown}
 */
function valueOf(settings, name) {
  const all = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (settings));
  const sampling = /** @type {Record<string, unknown>} */ (settings.sampling);
  return SAMPLING.has(name) ? sampling[name] ?? null : all[name];
}

/** @param {unknown} value */
function isEmpty(value) {
  return value === null || value === undefined || value === false ||
    (Array.isArray(value) && value.length === 0);
}

/**
 * @param {SettingField} field
 * @param {unknown} value
 * @returns {"page" | "server" | "default"}
 */
function sourceOf({ name }, value) {
  if (!isEmpty(value)) return "page";
  const isShared = name === "threads" || name === "keep_alive";
  return isShared && (serverSetting(name)?.source ?? "default") !== "default"
    ? "server"
    : "default";
}

/** @param {keyof Settings} name */
function emptyOf(name) {
  if (name === "extra_args" || name === "aliases" || name === "lora") return [];
  return name === "pinned" ? false : null;
}

/**
 * @param {Settings} settings
 * @param {string} name
 * @param {unknown} value
 */
function withSampling({ sampling }, name, value) {
  const others = Object.entries(sampling).filter(([each]) => each !== name);
  return Object.fromEntries(value === null ? others : [...others, [name, value]]);
}

/**
 * What an empty field means for this model, as its command line tells.
 *
 * @param {SettingField} field
 * @param {string[] | null} command
 */
function automaticOf({ name, kind }, command) {
  if (name === "keep_alive") {
    const shared = serverSetting("keep_alive");
    return shared === null
      ? null
      : t("settings.default_value", { value: toText(kind, shared.value) });
  }
  if (WITHOUT_DEFAULT.has(kind) || name === "system_prompt") return t("settings.none");
  const flag = { threads: "-t", gpu_layers: "-ngl", parallel: "-np", context: "-c" }[name];
  if (flag === undefined) return null;
  const number = numberAfter(command, flag);
  if (number === null) return null;
  const value = name === "context" ? number / (numberAfter(command, "-np") ?? 1) : number;
  return t("settings.automatic_value", { value: formatNumber(value) });
}

/**
 * @param {string[] | null} command
 * @param {string} flag
 */
function numberAfter(command, flag) {
  const at = command?.indexOf(flag) ?? -1;
  const word = at < 0 ? undefined : command?.[at + 1];
  return word !== undefined && /^\d+$/.test(word) ? Number(word) : null;
}

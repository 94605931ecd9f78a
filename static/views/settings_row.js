// One setting: its field, where its value comes from, and the way back to the default. A change is
// sent at once; what the server refuses is said at the field.

import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { hasText, t } from "../i18n.js";
import { Button, Field, Switch } from "../parts/controls.js";
import { toastError } from "../parts/overlays.js";
import { fromText, toText } from "./settings_fields.js";
import { refusalText } from "./settings_refusal.js";

/** @import { ComponentChildren } from "preact" */
/** @import { SettingField } from "./settings_fields.js" */
/** @typedef {"default" | "config.json" | "environment" | "flag" | "page" | "server" | "browser"} Source */

/**
 * @param {{
 *   of: "server" | "model",
 *   field: SettingField,
 *   value: unknown,
 *   source: Source,
 *   named?: string | null,
 *   automatic?: string | null,
 *   onSave: (value: unknown) => Promise<unknown>,
 *   children?: ComponentChildren,
 * }} props `named`: the flag or variable that decides. `automatic`: what an empty field means now.
 */
export function SettingRow(
  { of, field, value, source, named = null, automatic, onSave, children },
) {
  const draft = useSignal(/** @type {string | null} */ (null));
  const error = useSignal(/** @type {string | null} */ (null));
  const isSaved = useSignal(false);
  const isBusy = useSignal(false);
  const isDecided = source === "flag" || source === "environment";
  const text = draft.value ?? toText(field.kind, value);
  const key = `settings.${of}.${field.name}`;
  const hint = hasText(`${key}.hint`) ? t(`${key}.hint`) : null;

  /** @param {unknown} wanted */
  async function save(wanted) {
    isBusy.value = true;
    isSaved.value = false;
    try {
      await onSave(wanted);
      draft.value = null;
      error.value = null;
      isSaved.value = true;
    } catch (failure) {
      const refused = refusalText(failure, { of, field });
      if (refused === null) toastError(failure);
      error.value = refused;
    } finally {
      isBusy.value = false;
    }
  }

  /** @param {string} written */
  function change(written) {
    draft.value = written;
    const wanted = fromText(field.kind, written);
    if (
      JSON.stringify(wanted) === JSON.stringify(fromText(field.kind, toText(field.kind, value)))
    ) {
      draft.value = null;
      error.value = null;
      return;
    }
    return save(wanted);
  }

  /** @param {string} written */
  function write(written) {
    draft.value = written;
    isSaved.value = false;
  }

  return html`
    <div class="setting" data-setting=${`${of}.${field.name}`}>
      ${field.kind === "switch"
        ? html`<div class="field">
          <${Switch} label=${t(key)} checked=${
          value === true
        } disabled=${isDecided} onChange=${save} />
          ${hint !== null && html`<p class="hint">${hint}</p>`}
        </div>`
        : html`<${Field} label=${t(key)} hint=${hint} error=${error.value}>
          ${control({ field, text, automatic, isDecided, onWrite: write, onChange: change })}
        </${Field}>`}
      ${children}
      <div class="setting-source row">
        <${SourceTag} source=${source} named=${named} />
        ${isDecided &&
          html`<span class="muted small">${t("settings.decided", { name: named ?? "" })}</span>`}
        ${canReset(source) && html`
          <${Button} kind="quiet" icon="reset" busy=${isBusy.value}
            aria-label=${t("settings.reset_named", { name: t(key) })}
            onClick=${() => save(null)}>${t("settings.reset")}</${Button}>
        `}
        <span class="setting-saved" role="status">${isSaved.value ? t("settings.saved") : ""}</span>
      </div>
    </div>
  `;
}

/** @param {Source} source */
function canReset(source) {
  return source === "config.json" || source === "page" || source === "browser";
}

/** @param {{ source: Source, named?: string | null }} props */
export function SourceTag({ source, named = null }) {
  const isNamed = named !== null && (source === "flag" || source === "environment");
  return html`
    <span class=${`tag setting-tag ${source === "default" ? "" : "chosen"}`}>
      ${t(`settings.source.${source}`)}${" "}${isNamed && html`<code>${named}</code>`}
    </span>
  `;
}

/**
 * @param {{
 *   field: SettingField,
 *   text: string,
 *   automatic?: string | null | undefined,
 *   isDecided: boolean,
 *   onWrite: (text: string) => void,
 *   onChange: (text: string) => unknown,
 * }} props
 */
function control({ field, text, automatic, isDecided, onWrite, onChange }) {
  const { kind, name } = field;
  const placeholder = automatic ?? t("settings.automatic");
  const common = {
    name,
    disabled: isDecided,
    /** @param {Event} event */
    onChange: (event) => void onChange(textOf(event)),
  };
  /** @param {Event} event */
  const onInput = (event) => onWrite(textOf(event));
  switch (kind) {
    case "choice":
      return html`<select ...${common}>
        <option value="" selected=${text === ""}>${placeholder}</option>
        ${
        field.choices?.map((choice) =>
          html`<option key=${choice} value=${choice} selected=${text === choice}>${choice}</option>`
        )
      }
      </select>`;
    case "text":
    case "paths":
      return html`
        <textarea ...${common} rows="3" placeholder=${placeholder} spellcheck="false"
          value=${text} onInput=${onInput}></textarea>
      `;
    default:
      return html`
        <input type="text" ...${common} placeholder=${placeholder} autocomplete="off"
          inputmode=${kind === "whole" ? "numeric" : kind === "decimal" ? "decimal" : "text"}
          spellcheck="false" autocapitalize="off" value=${text} onInput=${onInput} />
      `;
  }
}

/** @param {Event} event */
function textOf(event) {
  return /** @type {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} */ (event
    .currentTarget).value;
}

// API keys: made with a name and a scope, shown once, revoked.

import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { api, ApiError, apiKey, changeKeys, segment, setApiKey } from "../api.js";
import { formatTime, t } from "../i18n.js";
import { Button, CopyButton, Field, Switch } from "../parts/controls.js";
import { confirmDialog, Dialog, toast } from "../parts/overlays.js";
import { ErrorNote } from "../parts/words.js";
import { useLook } from "./get_ask.js";

/** @import { KeyRow, KeyScope, NewKeyRow } from "../../src/api_types.ts" */

export function Keys() {
  const keys = useSignal(/** @type {KeyRow[] | null} */ (null));
  const made = useSignal(/** @type {NewKeyRow | null} */ (null));

  const { failure, look } = useLook(async () => {
    keys.value = await api.get("/admin/keys");
  });

  /** @param {NewKeyRow} key */
  async function onMade(key) {
    // From the first key on this page, too, has to show one.
    if (apiKey() === null && key.scope === "admin") setApiKey(key.key);
    made.value = key;
    await look();
  }

  /** @param {KeyRow} key */
  async function revoke(key) {
    const isSure = await confirmDialog({
      title: t("settings.keys.revoke_title", { name: key.name }),
      text: t("settings.keys.revoke_text"),
      confirm: t("settings.keys.revoke"),
      danger: true,
    });
    if (!isSure) return;
    await api.del(`/admin/keys/${segment(key.id)}`);
    toast(t("settings.keys.revoked", { name: key.name }), { kind: "done" });
    await look();
    if (keys.peek()?.length === 0) setApiKey(null);
  }

  const rows = keys.value;
  return html`<details class="card setting-group" data-group="keys">
    <summary>${t("settings.group.keys")}
      ${
    rows !== null && rows.length > 0 &&
    html`<span class="tag setting-tag">${t("settings.keys.count", { count: rows.length })}</span>`
  }
    </summary>
    <p class="muted">${t("settings.keys.text")}</p>
    ${failure !== null && html`<${ErrorNote} error=${failure} onRetry=${look} />`}
    ${rows !== null && rows.length > 0 && html`<${KeyTable} rows=${rows} onRevoke=${revoke} />`}
    ${rows !== null && html`<${NewKey} rows=${rows} onMade=${onMade} />`}
    <${MadeKey} made=${made.value} onClose=${() => {
    made.value = null;
  }} />
  </details>`;
}

/** @param {{ rows: KeyRow[], onRevoke: (key: KeyRow) => Promise<void> }} props */
function KeyTable({ rows, onRevoke }) {
  return html`
    <div class="table-scroll" tabindex="0" role="region" aria-label=${t("settings.group.keys")}>
      <table class="table keys">
        <thead>
          <tr>
            <th scope="col">${t("settings.keys.name")}</th>
            <th scope="col">${t("settings.keys.scope")}</th>
            <th scope="col">${t("settings.keys.made")}</th>
            <th scope="col">${t("settings.keys.used")}</th>
            <th scope="col"><span class="visually-hidden">${t("settings.keys.revoke")}</span></th>
          </tr>
        </thead>
        <tbody>${rows.map((key) =>
          html`
            <tr key=${key.id}>
              <th scope="row">${key.name}</th>
              <td><span class="tag">${t(`settings.keys.scope.${key.scope}`)}</span></td>
              <td>${key.created_at === null
                ? t("settings.keys.at_start")
                : formatTime(key.created_at)}</td>
              <td>${key.last_used_at === null
                ? t("settings.keys.never")
                : formatTime(key.last_used_at)}</td>
              <td>${key.source === "made" && html`
                <${Button} kind="quiet" icon="trash"
                  aria-label=${t("settings.keys.revoke_named", { name: key.name })}
                  onClick=${() => onRevoke(key)}>${t("settings.keys.revoke")}</${Button}>
              `}</td>
            </tr>
          `
        )}</tbody>
      </table>
    </div>
  `;
}

/** @param {{ rows: KeyRow[], onMade: (key: NewKeyRow) => Promise<void> }} props */
function NewKey({ rows, onMade }) {
  const name = useSignal("");
  const chosen = useSignal(/** @type {KeyScope} */ ("use"));
  const error = useSignal(/** @type {string | null} */ (null));
  // The server takes none for answers only before there is one for everything.
  const isFirst = !rows.some((key) => key.scope === "admin");
  const scope = isFirst ? "admin" : chosen.value;

  /** @param {Event} event */
  async function make(event) {
    event.preventDefault();
    const wanted = name.peek().trim();
    error.value = wanted === ""
      ? t("settings.keys.wants_name")
      : rows.some((key) => key.name.toLowerCase() === wanted.toLowerCase())
      ? t("settings.keys.name_taken")
      : null;
    if (error.peek() !== null) return;
    try {
      await changeKeys(async () =>
        await onMade(await api.post("/admin/keys", { name: wanted, scope }))
      );
      name.value = "";
    } catch (failure) {
      if (!(failure instanceof ApiError) || failure.status === 0) throw failure;
      error.value = t(
        failure.code === "key_refused" ? "settings.keys.refused" : "settings.keys.wants_name",
      );
    }
  }

  return html`
    <form class="new-key" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <${Field} label=${t("settings.keys.name")} hint=${t("settings.keys.name.hint")} error=${error
        .value}>
        <input type="text" name="key_name" autocomplete="off" maxlength="100" value=${name.value}
          onInput=${(/** @type {Event} */ event) => {
            name.value = /** @type {HTMLInputElement} */ (event.currentTarget).value;
            error.value = null;
          }} />
        </${Field}>
        <${Field} label=${t("settings.keys.scope")} hint=${t(
          isFirst ? "settings.keys.first" : `settings.keys.scope.${scope}.hint`,
        )}>
          <select name="key_scope" disabled=${isFirst} onChange=${(/** @type {Event} */ event) => {
            chosen.value =
              /** @type {KeyScope} */ (/** @type {HTMLSelectElement} */ (event.currentTarget)
                .value);
          }}>
            ${/** @type {const} */ (["use", "admin"]).map((each) =>
              html`<option value=${each} selected=${each === scope}>${
                t(`settings.keys.scope.${each}`)
              }</option>`
            )}
          </select>
          </${Field}>
          <${Button} kind="primary" type="submit" icon="plus"
            onClick=${make}>${t("settings.keys.make")}</${Button}>
      </form>
  `;
}

/** The one time that it is seen. @param {{ made: NewKeyRow | null, onClose: () => void }} props */
function MadeKey({ made, onClose }) {
  const isKept = useSignal(false);
  useEffect(() => {
    isKept.value = false;
  }, [made]);
  /** @param {boolean} remember */
  function keepIt(remember) {
    if (made === null) return;
    setApiKey(made.key, { remember });
    isKept.value = remember;
  }
  return html`
    <${Dialog} open=${made !== null} onClose=${onClose}
      title=${t("settings.keys.made_title", { name: made?.name ?? "" })}>
        <p>${t("settings.keys.once")}</p>
        <div class="made-key">
          <code>${made?.key}</code>
          <${CopyButton} text=${made?.key ?? ""} kind="plain" />
        </div>
        ${made?.scope === "admin" && apiKey() === made.key && html`
          <p class="muted">${t("settings.keys.page_uses")}</p>
          <${Switch} label=${t("settings.keys.remember")} checked=${isKept
            .value} onChange=${keepIt} />
        `}
        <div class="row end">
          <${Button} kind="primary" onClick=${onClose}>${t("settings.keys.done")}</${Button}>
        </div>
      </${Dialog}>
  `;
}

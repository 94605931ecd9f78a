// Settings of the server: what is chosen for all models, and what whoever starts it decides.

import { signal } from "@preact/signals";
import { html } from "htm/preact";
import { api } from "../api.js";
import { formatBytes, formatNumber, t } from "../i18n.js";
import { CodeBlock } from "../parts/controls.js";
import { Meter } from "../parts/measures.js";
import { system } from "../store.js";
import { PLACES, REACH, SERVER_GROUPS, toText } from "./settings_fields.js";
import { SettingRow, SourceTag } from "./settings_row.js";

/** @import { SettingRow as Row } from "../../src/api_types.ts" */
/** @import { FieldGroup } from "./settings_fields.js" */

/** Null until they were sent. @type {import("@preact/signals").Signal<Row[] | null>} */
export const serverSettings = signal(null);

export async function loadServerSettings() {
  serverSettings.value = await api.get("/admin/settings");
}

/** @param {string} name */
export function serverSetting(name) {
  return serverSettings.value?.find((row) => row.name === name) ?? null;
}

export function ServerSettings() {
  if (serverSettings.value === null) return null;
  return html`
    ${SERVER_GROUPS.map((group) => html`<${ServerGroup} key=${group.id} group=${group} />`)}
    <details class="card setting-group" data-group="reach">
      <summary>${t("settings.group.reach")}</summary>
      <${Reach} />
    </details>
    <details class="card setting-group" data-group="places">
      <summary>${t("settings.group.places")}</summary>
      <p class="muted">${t("settings.places.text")}</p>
      <${DecidedTable} names=${PLACES} label=${t("settings.group.places")} />
    </details>
  `;
}

/** @param {{ group: FieldGroup }} props */
function ServerGroup({ group }) {
  return html`<details class="card setting-group" data-group=${group.id}>
    <summary>${t(`settings.group.${group.id}`)}</summary>
    ${
    group.fields.map((field) => {
      const row = serverSetting(field.name);
      if (row === null) return null;
      return html`
        <${SettingRow} key=${field.name} of="server" field=${field}
          value=${row.source === "default" && row.name !== "open" ? null : row.value}
          source=${row.source} named=${row.source === "environment" ? row.environment : row.flag}
          automatic=${automaticOf(row, field)}
          onSave=${(/** @type {unknown} */ value) => saveServer(field.name, value)}>
                ${field.name === "memory_budget" && html`<${Budget} />`}
              </${SettingRow}>
      `;
    })
  }
  </details>`;
}

/**
 * @param {string} name
 * @param {unknown} value
 */
async function saveServer(name, value) {
  const wanted = Array.isArray(value) && value.length === 0 ? null : value;
  serverSettings.value = await api.put("/admin/settings", { [name]: wanted });
}

/**
 * What the server takes where nobody chose.
 *
 * @param {Row} row
 * @param {import("./settings_fields.js").SettingField} field
 */
function automaticOf(row, field) {
  if (row.name === "threads") {
    const cores = system.value?.cpu.physical_cores ?? null;
    return cores === null ? null : t("settings.automatic_value", { value: formatNumber(cores) });
  }
  if (row.name === "memory_budget") {
    const bytes = system.value?.memory.budget_bytes ?? null;
    return row.source !== "default" || bytes === null
      ? null
      : t("settings.automatic_value", { value: formatBytes(bytes) });
  }
  if (row.source !== "default") return null;
  const text = toText(field.kind, row.value);
  return text === "" ? t("settings.none") : t("settings.default_value", { value: text });
}

/** The budget beside the memory that there is. */
function Budget() {
  const memory = system.value?.memory;
  const total = memory?.total_bytes ?? null;
  const budget = memory?.budget_bytes ?? null;
  if (total === null || budget === null) return null;
  const words = t("settings.budget", { budget: formatBytes(budget), total: formatBytes(total) });
  return html`
    <div class="setting-drawn">
      <${Meter} value=${Math.min(1, budget / total)} label=${words} />
      <span class="muted small">${words}</span>
    </div>
  `;
}

function Reach() {
  const hosts = /** @type {string[]} */ (serverSetting("host")?.value ?? []);
  const isOpen = hosts.some((host) => !isLoopback(host));
  const hasKey = serverSetting("api_key")?.value === "set";
  return html`
    <ul class="reach">
      <li class="reach-one good">${mark(true)} ${t("settings.reach.here")}</li>
      <li class=${`reach-one ${isOpen ? "good" : "closed"}`}>
        ${mark(isOpen)} ${t(isOpen ? "settings.reach.network" : "settings.reach.no_network")}
      </li>
      <li class=${`reach-one ${hasKey ? "good" : "closed"}`}>
        ${mark(hasKey)} ${t(hasKey ? "settings.reach.key" : "settings.reach.no_key")}
      </li>
    </ul>
    <p class="muted">${t(isOpen ? "settings.reach.close" : "settings.reach.open")}</p>
    <${CodeBlock} label=${t("settings.reach.command")} text=${isOpen
      ? "zombiecoder serve --host 127.0.0.1"
      : "zombiecoder serve --host 0.0.0.0 --api-key-file KEYFILE"} />
    <${DecidedTable} names=${REACH} label=${t("settings.group.reach")} />
  `;
}

/** @param {boolean} isYes */
function mark(isYes) {
  return html`<span class="reach-mark" aria-hidden="true">${isYes ? "✓" : "–"}</span>`;
}

/** @param {string} host */
function isLoopback(host) {
  return host === "::1" || host === "localhost" || host.startsWith("127.");
}

/** What the page can only show, with the flag that changes it. @param {{ names: string[], label: string }} props */
function DecidedTable({ names, label }) {
  return html`
    <div class="table-scroll" tabindex="0" role="region" aria-label=${label}>
      <table class="table decided">
        <thead>
          <tr>
            <th scope="col">${t("settings.column.name")}</th>
            <th scope="col">${t("settings.column.value")}</th>
            <th scope="col">${t("settings.column.source")}</th>
            <th scope="col">${t("settings.column.change")}</th>
          </tr>
        </thead>
        <tbody>${names.map((name) => {
          const row = serverSetting(name);
          if (row === null) return null;
          return html`
            <tr key=${name}>
              <th scope="row">${t(`settings.server.${name}`)}</th>
              <td class="decided-value">${decidedText(row)}</td>
              <td>
                <${SourceTag} source=${row.source} />
              </td>
              <td><code>${row.flag ?? row.environment}</code></td>
            </tr>
          `;
        })}</tbody>
      </table>
    </div>
  `;
}

/** @param {Row} row */
function decidedText({ value }) {
  if (value === null || (Array.isArray(value) && value.length === 0)) return t("settings.none");
  if (value === "set") return t("settings.is_set");
  return Array.isArray(value) ? value.join(", ") : String(value);
}

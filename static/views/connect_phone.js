// The way to this page from a phone: its address as a QR code, or how the server is opened for others.

import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { api, ApiError } from "../api.js";
import { t, tx } from "../i18n.js";
import { CodeBlock, CopyButton, Field } from "../parts/controls.js";
import { ErrorNote } from "../parts/words.js";
import { hrefOf } from "../router.js";
import { port } from "../store.js";
import { phoneAddresses } from "./connect_addresses.js";
import { qrCode } from "./connect_qr.js";

/** @import { SettingRow } from "../../src/api_types.ts" */

/** Light squares around a code, without which it is not found. */
const BORDER = 4;

export function PhoneCard() {
  const { reach, error, reload } = useReach();
  return html`
    <section class="card stack connect-phone" aria-labelledby="connect-phone">
      <h2 id="connect-phone">${t("connect.phone")}</h2>
      ${error !== null && html`<${ErrorNote} error=${error} onRetry=${reload} />`}
      ${reach !== null &&
        (reach.addresses.length > 0
          ? html`<${Addresses} addresses=${reach.addresses} />`
          : html`<${HowToOpen} isOpen=${reach.isOpen} />`)}
    </section>
  `;
}

/** @param {{ addresses: string[] }} props */
function Addresses({ addresses }) {
  const [chosen, setChosen] = useState(addresses[0] ?? "");
  const address = addresses.includes(chosen) ? chosen : addresses[0] ?? "";
  const rows = qrCode(address);
  /** @param {Event} event */
  const choose = (event) => setChosen(/** @type {HTMLSelectElement} */ (event.currentTarget).value);
  return html`
    <div class="connect-scan">
      ${rows !== null && html`<${QrPicture} rows=${rows} label=${t("connect.qr", { address })} />`}
      <div class="stack">
        <p>${t("connect.phone_open")}</p>
        ${addresses.length > 1 && html`
          <${Field} label=${t("connect.phone_address")}>
            <select value=${address} onChange=${choose}>
              ${addresses.map((each) =>
                html`<option key=${each} value=${each} selected=${
                  each === address
                }>${each}</option>`
              )}
            </select>
            <//>
        `}
        <p class="connect-address">
          <code>${address}</code><${CopyButton} text=${address}
            label=${t("connect.copy", { name: t("connect.phone_address") })} />
        </p>
        <p class="muted">${tx("connect.phone_key", {
          settings: html`<a href=${hrefOf("settings")}>${t("connect.settings")}</a>`,
        })}</p>
      </div>
    </div>
  `;
}

/** @param {{ isOpen: boolean }} props */
function HowToOpen({ isOpen }) {
  const command = [
    "zombiecoder serve --host 0.0.0.0 \\",
    `  --allowed-hosts ${t("connect.your_address")} \\`,
    "  --api-key-file key.txt",
  ].join("\n");
  return html`
    <p>${t(isOpen ? "connect.phone_unnamed" : "connect.phone_closed")}</p>
    <details>
      <summary>${t("connect.phone_how")}</summary>
      <div class="stack">
        <p>${t("connect.phone_how.text")}</p>
        <${CodeBlock} text=${command} label=${t("connect.phone_how")} />
        <p class="muted">${t("connect.phone_how.key")}</p>
      </div>
    </details>
  `;
}

/** @param {{ rows: boolean[][], label: string }} props */
function QrPicture({ rows, label }) {
  const size = rows.length + BORDER * 2;
  const path = rows.flatMap((row, y) =>
    row.flatMap((dark, x) => dark ? [`M${x + BORDER} ${y + BORDER}h1v1h-1z`] : [])
  ).join("");
  return html`
    <svg class="connect-qr" viewBox=${`0 0 ${size} ${size}`} role="img" aria-label=${label}
      shape-rendering="crispEdges">
      <rect class="connect-qr-light" width=${size} height=${size} />
      <path class="connect-qr-dark" d=${path} />
    </svg>
  `;
}

function useReach() {
  const [reach, setReach] = useState(
    /** @type {ReturnType<typeof phoneAddresses> | null} */ (null),
  );
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const reload = async () => {
    try {
      /** @type {SettingRow[]} */
      const settings = await api.get("/admin/settings");
      const { origin, hostname } = location;
      setReach(phoneAddresses(settings, { port: port.peek(), origin, hostname }));
      setError(null);
    } catch (caught) {
      if (!(caught instanceof ApiError)) throw caught;
      setError(caught);
    }
  };
  useEffect(() => void reload(), []);
  return { reach, error, reload };
}

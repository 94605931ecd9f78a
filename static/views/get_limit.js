// How fast all downloads together may be: the setting that outlives a restart.

import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { api } from "../api.js";
import { t } from "../i18n.js";
import { Field } from "../parts/controls.js";
import { toastError } from "../parts/overlays.js";
import { rateText } from "./get_words.js";

/** @import { DownloadList } from "../../src/api_types.ts" */

/** Bytes a second; 0 is no limit. */
const LIMITS = [0, 250_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 50_000_000];

export function SpeedLimit() {
  const [limit, setLimit] = useState(/** @type {number | null} */ (null));
  useEffect(() => {
    let isHere = true;
    api.get("/admin/downloads").then((/** @type {DownloadList} */ list) => {
      if (isHere) setLimit(list.bytes_per_second_limit);
    }).catch(toastError);
    return () => {
      isHere = false;
    };
  }, []);
  if (limit === null) return null;
  const choices = LIMITS.includes(limit) ? LIMITS : [...LIMITS, limit].sort((a, b) => a - b);
  /** @param {Event & { currentTarget: HTMLSelectElement }} event */
  async function choose(event) {
    const chosen = Number(event.currentTarget.value);
    setLimit(chosen);
    try {
      /** @type {DownloadList} */
      const list = await api.put("/admin/downloads/limit", { bytes_per_second: chosen });
      setLimit(list.bytes_per_second_limit);
    } catch (error) {
      setLimit(limit);
      toastError(error);
    }
  }
  return html`
    <div class="get-limit">
      <${Field} label=${t("get.limit")}>
        <select value=${String(limit)} onChange=${choose}>
          ${choices.map((each) =>
            html`<option key=${each} value=${String(each)}>${
              each === 0 ? t("get.limit_none") : rateText(each)
            }</option>`
          )}
        </select>
        </${Field}>
        </div>
  `;
}

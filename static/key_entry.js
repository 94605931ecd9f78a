// Where the server wants a key: what it is, where to find one, and a place to put it.

import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { setApiKey } from "./api.js";
import { t } from "./i18n.js";
import { Button, Field } from "./parts/controls.js";
import { Icon } from "./parts/icon.js";

/** @param {{ why: "missing" | "wrong" | "scope" }} props */
export function KeyEntry({ why }) {
  const [key, setKey] = useState("");
  const [isKept, setKept] = useState(false);
  const [error, setError] = useState(/** @type {string | null} */ (null));
  /** @param {Event} event */
  const send = (event) => {
    event.preventDefault();
    if (key.trim() === "") return setError(t("shell.key.empty"));
    setError(null);
    setApiKey(key.trim(), { remember: isKept });
  };
  const wrong = error ?? (why === "missing" ? null : t(`shell.key.${why}`));
  return html`
    <section class="view key-entry">
      <form class="card stack" onSubmit=${send}>
        <h1><${Icon} name="key" />${t("shell.key.title")}</h1>
        <p class="muted">${t("shell.key.text")}</p>
        <${Field} label=${t("shell.key.label")} error=${wrong}>
          <input type="password" autocomplete="current-password" spellcheck=${false}
            value=${key}
            onInput=${(/** @type {Event} */ event) =>
              setKey(/** @type {HTMLInputElement} */ (event.currentTarget).value)} />
          </${Field}>
          <label class="check">
            <input type="checkbox" checked=${isKept}
              onChange=${(/** @type {Event} */ event) =>
                setKept(/** @type {HTMLInputElement} */ (event.currentTarget).checked)} />
            <span>${t("shell.key.keep")}</span>
          </label>
          <div class="row">
            <${Button} type="submit" kind="primary">${t("shell.key.send")}</${Button}></div>
        <p class="hint">${t("shell.key.hint")}</p>
      </form>
    </section>
  `;
}

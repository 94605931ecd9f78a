// #/settings/MODEL: language and looks for everyone, and behind closed lids all that can be set: for the
// server, for its keys, for one model.

import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { language, setLanguage, t } from "../i18n.js";
import { Button } from "../parts/controls.js";
import { toastError } from "../parts/overlays.js";
import { ErrorNote } from "../parts/words.js";
import { keep, readKept, setTheme, theme } from "../preferences.js";
import { route } from "../router.js";
import { useLook } from "./get_ask.js";
import { Engine } from "./settings_engine.js";
import { Keys } from "./settings_keys.js";
import { ModelSettings } from "./settings_model.js";
import { SourceTag } from "./settings_row.js";
import { loadServerSettings, ServerSettings } from "./settings_server.js";

/** @import { Language } from "../i18n.js" */
/** @import { Theme } from "../preferences.js" */

/** Each by its own name. */
const LANGUAGES = /** @type {const} */ ([["en", "English"], ["bn", "বাংলা"]]);
const THEMES = /** @type {const} */ (["system", "light", "dark"]);

export function SettingsView() {
  const { failure, look } = useLook(loadServerSettings);
  return html`<section class="view settings">
    <h1 tabindex="-1">${t("settings.title")}</h1>
    <${Looks} />
    <h2>${t("settings.server")}</h2>
    <p class="muted">${t("settings.server.text")}</p>
    ${failure !== null && html`<${ErrorNote} error=${failure} onRetry=${look} />`}
    <div class="stack">
      <${ServerSettings} />
      <${Engine} />
      <${Keys} />
    </div>
    <h2>${t("settings.model")}</h2>
    <p class="muted">${t("settings.model.text")}</p>
    <${ModelSettings} chosen=${route.value.argument} />
  </section>`;
}

function Looks() {
  const resets = useSignal(0);
  // Chosen here or in the header: each draws this anew, as a reset does.
  const isLanguageChosen = resets.value >= 0 && readKept("language") !== null;
  /** @param {Language} code */
  async function choose(code) {
    try {
      await setLanguage(code);
    } catch (error) {
      toastError(error);
    }
  }
  async function resetLanguage() {
    await setLanguage(navigator.language.startsWith("bn") ? "bn" : "en");
    keep("language", null);
    resets.value++;
  }
  return html`
    <div class="card looks">
      <${Choice} label=${t("settings.language")} name="language" value=${language.value}
        choices=${LANGUAGES.map(([id, label]) => ({ id, label, lang: id }))} onChoose=${choose}
        isChosen=${isLanguageChosen} onReset=${resetLanguage} />
      <${Choice} label=${t("settings.theme")} name="theme" value=${theme.value}
        choices=${THEMES.map((id) => ({ id, label: t(`settings.theme.${id}`) }))}
        onChoose=${(/** @type {Theme} */ id) => setTheme(id)}
        isChosen=${theme.value !== "system"} onReset=${() => setTheme("system")} />
    </div>
  `;
}

/**
 * @param {{
 *   label: string,
 *   name: string,
 *   value: string,
 *   choices: { id: string, label: string, lang?: string }[],
 *   onChoose: (id: any) => unknown,
 *   isChosen: boolean,
 *   onReset: () => unknown,
 * }} props
 */
function Choice({ label, name, value, choices, onChoose, isChosen, onReset }) {
  return html`
    <fieldset class="choice">
      <legend>${label}</legend>
      <div class="segments">
          ${choices.map((choice) =>
            html`
              <label key=${choice.id}>
                <input type="radio" name=${name} value=${choice.id} checked=${choice.id === value}
                  onChange=${() => void onChoose(choice.id)} />
                <span lang=${choice.lang}>${choice.label}</span>
              </label>
            `
          )}
        </div>
      <div class="setting-source row">
          <${SourceTag} source=${isChosen ? "browser" : "default"} />
          ${isChosen && html`
            <${Button} kind="quiet" icon="reset"
              aria-label=${t("settings.reset_named", { name: label })}
              onClick=${onReset}>${t("settings.reset")}</${Button}>
          `}
        </div>
    </fieldset>
  `;
}

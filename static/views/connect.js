// Connect: what to write into other programs so that they ask this server, and the way from a phone.

import { html } from "htm/preact";
import { useId, useState } from "preact/hooks";
import { api } from "../api.js";
import { t, tx } from "../i18n.js";
import { Button, CodeBlock, CopyButton, Field, Tabs } from "../parts/controls.js";
import { ErrorNote } from "../parts/words.js";
import { hrefOf } from "../router.js";
import { chatModels } from "../store.js";
import { PhoneCard } from "./connect_phone.js";
import { useAnswer } from "./get_ask.js";

/** @import { Asked } from "./get_ask.js" */
/** @import { ConnectAnswer, ConnectTextRow, KeyRow, ModelRow, NewKeyRow } from "../../src/api_types.ts" */

export function ConnectView() {
  const [chosen, setChosen] = useState(/** @type {string | null} */ (null));
  const [toolName, setToolName] = useState("continue");
  const [ownKey, setOwnKey] = useState("");
  const models = chatModels.value;
  const wanted = models.some(({ id }) => id === chosen) ? chosen ?? "" : "";
  /** @type {Asked<ConnectAnswer>} */
  const { value, error, again } = useAnswer(
    `/admin/connect?model=${encodeURIComponent(wanted)}`,
  );
  const needsKey = value?.needs_key === true;
  const tool = value?.tools.find(({ name }) => name === toolName);
  return html`
    <section class="view connect">
      <h1 tabindex="-1">${t("connect.title")}</h1>
      <p class="connect-lead">${t("connect.lead")}</p>
      ${error !== null && html`<${ErrorNote} error=${error} onRetry=${again} />`}
      <section class="card stack" aria-labelledby="connect-basics">
        <h2 id="connect-basics">${t("connect.basics")}</h2>
        <dl class="connect-facts">
          <${Fact} name=${t("connect.openai_address")} value=${`${location.origin}/v1`} />
          <${Fact} name=${t("connect.ollama_address")} value=${location.origin} />
        </dl>
        <div class="connect-choices">
          <${ModelChoice} models=${models} model=${value?.model ?? null} onChoose=${setChosen} />
          ${needsKey && html`
            <${KeyEntry} place=${value.key_place} value=${ownKey} onChange=${setOwnKey} />
          `}
        </div>
        ${value !== null && !needsKey && html`
          <p class="muted">${tx("connect.no_key", {
            settings: html`<a href=${hrefOf("settings")}>${t("connect.settings")}</a>`,
          })}</p>
        `}
      </section>
      <section class="card stack" aria-labelledby="connect-tools">
        <h2 id="connect-tools">${t("connect.tools")}</h2>
        ${value !== null && tool !== undefined && html`
          <${Tabs} label=${t("connect.tools")} selected=${toolName} onSelect=${setToolName}
            tabs=${value.tools.map(({ name, title }) => ({ id: name, label: title }))} />
          <div class="stack" role="tabpanel" aria-label=${tool.title} data-tool=${tool.name}>
            <p>${t(`connect.where.${tool.name}`)}</p>
            <${CodeBlock} text=${textOf(tool, value, ownKey.trim())} label=${t("connect.text_for", {
              tool: tool.title,
            })} />
            ${tool.note !== null && html`<p class="muted">${t(`connect.note.${tool.name}`)}</p>`}
            ${!tool.sends_key && needsKey &&
              html`<p class="connect-warning">${t("connect.keyless")}</p>`}
          </div>
        `}
      </section>
      <${PhoneCard} />
    </section>
  `;
}

/** @param {{ name: string, value: string }} props */
function Fact({ name, value }) {
  return html`
    <div class="connect-fact">
      <dt>${name}</dt>
      <dd><code>${value}</code><${CopyButton} text=${value} label=${t("connect.copy", {
        name,
      })} /></dd>
    </div>
  `;
}

/** @param {{ models: ModelRow[], model: string | null, onChoose: (id: string) => void }} props */
function ModelChoice({ models, model, onChoose }) {
  /** @param {Event} event */
  const choose = (event) => onChoose(/** @type {HTMLSelectElement} */ (event.currentTarget).value);
  return html`
    <${Field} label=${t("connect.model")} hint=${t("connect.model_hint")}>
      <select value=${model} onChange=${choose}>
        ${models.map(({ id }) =>
          html`<option key=${id} value=${id} selected=${id === model}>${id}</option>`
        )}
      </select>
      <//>
  `;
}

/** @param {{ place: string, value: string, onChange: (key: string) => void }} props */
function KeyEntry({ place, value, onChange }) {
  const [isNew, setNew] = useState(false);
  const id = useId();
  async function make() {
    const name = freeName(t("connect.key_name"), await api.get("/admin/keys"));
    /** @type {NewKeyRow} */
    const made = await api.post("/admin/keys", { name, scope: "use" });
    onChange(made.key);
    setNew(true);
  }
  /** @param {Event} event */
  const type = (event) => {
    setNew(false);
    onChange(/** @type {HTMLInputElement} */ (event.currentTarget).value);
  };
  return html`
    <div class="connect-key">
      <${Field} label=${t("connect.key")} hint=${t(
        isNew ? "connect.key_made" : "connect.key_hint",
      )}>
        <input id=${id} type="text" autocomplete="off" spellcheck=${false} value=${value}
          placeholder=${place} onInput=${type} />
        <//>
        <${Button} icon="plus" onClick=${make}>${t("connect.make_key")}<//>
    </div>
  `;
}

/**
 * With the page's own address, which a proxy in between may have changed, and the key that was typed.
 *
 * @param {ConnectTextRow} tool
 * @param {ConnectAnswer} answer
 * @param {string} key
 */
function textOf(tool, { address, key_place }, key) {
  const text = tool.text.replaceAll(address, () => location.origin);
  return key === "" ? text : text.replaceAll(key_place, () => WRITTEN[tool.key_in](key));
}

/** @type {Record<ConnectTextRow["key_in"], (key: string) => string>} */
const WRITTEN = {
  text: (key) => key,
  json: (key) => JSON.stringify(key).slice(1, -1),
  shell: (key) => key.replace(/[\\"$`]/g, "\\$&"),
};

/**
 * Each key has another name.
 *
 * @param {string} name
 * @param {KeyRow[]} keys
 */
function freeName(name, keys) {
  const taken = new Set(keys.map((key) => key.name));
  let free = name;
  for (let count = 2; taken.has(free); count++) free = `${name} ${count}`;
  return free;
}

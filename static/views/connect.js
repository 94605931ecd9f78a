// Connect: what to write into other programs so that they ask this server, and the way from a phone.

import { html } from "htm/preact";
import { useEffect, useId, useState } from "preact/hooks";
import { api, ApiError } from "../api.js";
import { t, tx } from "../i18n.js";
import { Button, CodeBlock, CopyButton, Field, Tabs } from "../parts/controls.js";
import { ErrorNote } from "../parts/words.js";
import { hrefOf } from "../router.js";
import { chatModels } from "../store.js";
import { PhoneCard } from "./connect_phone.js";
import { KEY_PLACE, TOOLS } from "./connect_tools.js";

/** @import { KeyRow, ModelRow, NewKeyRow } from "../../src/api_types.ts" */

export function ConnectView() {
  const [chosen, setChosen] = useState(/** @type {string | null} */ (null));
  const [toolName, setToolName] = useState("continue");
  const [ownKey, setOwnKey] = useState("");
  const { keys, error, reload } = useKeys();
  const models = chatModels.value;
  const model = models.find(({ id }) => id === chosen)?.id ?? usualModel(models);
  const needsKey = keys !== null && keys.length > 0;
  const typed = ownKey.trim();
  const connection = {
    address: location.origin,
    model,
    key: needsKey ? typed === "" ? KEY_PLACE : typed : null,
  };
  const tool = TOOLS.find(({ name }) => name === toolName) ?? TOOLS[0];
  return html`
    <section class="view connect">
      <h1 tabindex="-1">${t("connect.title")}</h1>
      <p class="connect-lead">${t("connect.lead")}</p>
      ${error !== null && html`<${ErrorNote} error=${error} onRetry=${reload} />`}
      <section class="card stack" aria-labelledby="connect-basics">
        <h2 id="connect-basics">${t("connect.basics")}</h2>
        <dl class="connect-facts">
          <${Fact} name=${t("connect.openai_address")} value=${`${location.origin}/v1`} />
          <${Fact} name=${t("connect.ollama_address")} value=${location.origin} />
        </dl>
        <div class="connect-choices">
          <${ModelChoice} models=${models} model=${model} onChoose=${setChosen} />
          ${needsKey && html`
            <${KeyEntry} keys=${keys} value=${ownKey} onChange=${setOwnKey} onMade=${reload} />
          `}
        </div>
        ${keys !== null && !needsKey && html`
          <p class="muted">${tx("connect.no_key", {
            settings: html`<a href=${hrefOf("settings")}>${t("connect.settings")}</a>`,
          })}</p>
        `}
      </section>
      <section class="card stack" aria-labelledby="connect-tools">
        <h2 id="connect-tools">${t("connect.tools")}</h2>
        <${Tabs} label=${t("connect.tools")} selected=${toolName} onSelect=${setToolName}
          tabs=${TOOLS.map(({ name, title }) => ({ id: name, label: title }))} />
        ${tool !== undefined && html`
          <div class="stack" role="tabpanel" aria-label=${tool.title} data-tool=${tool.name}>
            <p>${t(`connect.where.${tool.name}`)}</p>
            <${CodeBlock} text=${tool.text(connection)} label=${t("connect.text_for", {
              tool: tool.title,
            })} />
            ${tool.noted && html`<p class="muted">${t(`connect.note.${tool.name}`)}</p>`}
            ${tool.keyless && needsKey &&
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

/** @param {{ models: ModelRow[], model: string, onChoose: (id: string) => void }} props */
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

/**
 * @param {{ keys: KeyRow[], value: string, onChange: (key: string) => void, onMade: () => void }} props
 */
function KeyEntry({ keys, value, onChange, onMade }) {
  const [isNew, setNew] = useState(false);
  const id = useId();
  async function make() {
    const name = freeName(t("connect.key_name"), keys);
    /** @type {NewKeyRow} */
    const made = await api.post("/admin/keys", { name, scope: "use" });
    onChange(made.key);
    setNew(true);
    onMade();
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
          placeholder=${KEY_PLACE} onInput=${type} />
        <//>
        <${Button} icon="plus" onClick=${make}>${t("connect.make_key")}<//>
    </div>
  `;
}

/** The keys that open this server; none means that it wants none. Null until it is known. */
function useKeys() {
  const [keys, setKeys] = useState(/** @type {KeyRow[] | null} */ (null));
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const reload = async () => {
    try {
      setKeys(await api.get("/admin/keys"));
      setError(null);
    } catch (caught) {
      if (!(caught instanceof ApiError)) throw caught;
      setError(caught);
    }
  };
  useEffect(() => void reload(), []);
  return { keys, error, reload };
}

/**
 * One that is in memory, else the first of the user's own: as the command line chooses.
 *
 * @param {ModelRow[]} models
 */
function usualModel(models) {
  const own = models.filter(({ builtin, capabilities }) =>
    !builtin && capabilities.includes("chat")
  );
  return (own.find(({ state }) => state === "ready") ?? own[0] ?? models[0])?.id ?? "hello";
}

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

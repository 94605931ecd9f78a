// What a user sets for one talk: instructions, and how the model chooses its words.

import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { api, ApiError, segment } from "../api.js";
import { formatNumber, t } from "../i18n.js";
import { Button, Field, Switch } from "../parts/controls.js";
import { Dialog } from "../parts/overlays.js";
import { hrefOf } from "../router.js";
import { setWishes, talk } from "./chat_session.js";

/** @import { ModelRow, ModelSettings, Sampling } from "../../src/api_types.ts" */

/** The most that makes sense, and the step of the arrows. @type {[name: keyof Sampling, min: number, max: number, step: number][]} */
const FIELDS = [
  ["temperature", 0, 2, 0.1],
  ["top_p", 0, 1, 0.05],
  ["top_k", 0, 1000, 1],
  ["min_p", 0, 1, 0.01],
  ["repeat_penalty", 0, 2, 0.05],
  ["max_tokens", 1, 1_000_000, 1],
  ["seed", 0, 4_294_967_295, 1],
];

/** @param {{ model: ModelRow, open: boolean, onClose: () => void }} props */
export function Drawer({ model, open, onClose }) {
  const { wishes } = talk.value;
  const own = useSettings(open ? model.id : null);
  const isChanged = wishes.system !== "" || wishes.thinking !== null ||
    Object.keys(wishes.sampling).length > 0;
  return html`
    <${Dialog} open=${open} onClose=${onClose} title=${t("chat.wishes")} class="chat-drawer">
      <p class="muted">${t("chat.wishesHint")}</p>
      <${Field} label=${t("chat.system")} hint=${t("chat.systemHint")}>
        <textarea rows="5" value=${wishes.system} placeholder=${own?.system_prompt ??
          t("chat.systemExample")}
          onInput=${(/** @type {any} */ event) =>
            setWishes({ system: event.currentTarget.value })}></textarea>
      </${Field}>
      ${model.capabilities.includes("thinking") && html`
        <${Switch} label=${t("chat.thinkFirst")} checked=${wishes.thinking ?? true}
          onChange=${(/** @type {boolean} */ thinking) => setWishes({ thinking })} />
      `}
      <div class="chat-sampling">
        ${FIELDS.map(([name, min, max, step]) =>
          html`
            <${SamplingField} key=${name} name=${name} min=${min} max=${max} step=${step}
              own=${own?.sampling[name]} />
          `
        )}
      </div>
      <div class="row">
        <${Button} kind="plain" icon="reset" disabled=${!isChanged}
          onClick=${() => setWishes({ system: "", sampling: {}, thinking: null })}>${t(
            "chat.resetWishes",
          )}</${Button}>
        <a href=${hrefOf("settings", model.id)}>${t("chat.moreSettings")}</a>
      </div>
    </${Dialog}>
  `;
}

/** @param {{ name: keyof Sampling, min: number, max: number, step: number, own: unknown }} props */
function SamplingField({ name, min, max, step, own }) {
  const { sampling } = talk.value.wishes;
  const [wrong, setWrong] = useState(false);
  /** @param {any} event */
  const change = (event) => {
    const { value, valueAsNumber, validity } = event.currentTarget;
    const isGood = (value === "" && !validity.badInput) ||
      (valueAsNumber >= min && valueAsNumber <= max &&
        (step !== 1 || Number.isInteger(valueAsNumber)));
    setWrong(!isGood);
    if (!isGood) return;
    const { [name]: _old, ...others } = sampling;
    setWishes({ sampling: value === "" ? others : { ...others, [name]: valueAsNumber } });
  };
  const range = { min: formatNumber(min), max: formatNumber(max) };
  return html`
    <${Field} label=${t(`chat.sampling.${name}`)} hint=${t(`chat.samplingHint.${name}`)}
      error=${wrong ? t("chat.samplingWrong", range) : null}>
      <input type="number" inputmode="decimal" min=${min} max=${max} step=${step === 1 ? 1 : "any"}
        value=${sampling[name] ?? ""} placeholder=${typeof own === "number"
          ? formatNumber(own)
          : t("chat.modelsOwn")}
        onChange=${change} />
      </${Field}>
  `;
}

/**
 * What is set for the model itself, to show where nothing is wished.
 *
 * @param {string | null} id
 * @returns {ModelSettings | null}
 */
function useSettings(id) {
  const [settings, setSettings] = useState(/** @type {ModelSettings | null} */ (null));
  useEffect(() => {
    if (id === null) return;
    let isOver = false;
    api.get(`/admin/models/${segment(id)}/settings`).then((found) => {
      if (!isOver) setSettings(found);
    }, (error) => {
      // Only shown in empty fields: they can be filled in without.
      if (!(error instanceof ApiError)) throw error;
    });
    return () => {
      isOver = true;
    };
  }, [id]);
  return settings;
}

// The first visit: this is your computer, take this model, say hello. Works without internet, and can be
// left at any step.

import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { formatBytes, formatPercent, t } from "../i18n.js";
import { Button } from "../parts/controls.js";
import { Meter } from "../parts/measures.js";
import { keep } from "../preferences.js";
import { go } from "../router.js";
import { system } from "../store.js";
import { HelloStep } from "./welcome_hello.js";
import { ModelStep } from "./welcome_model.js";

/** @import { SystemInfo } from "../../src/api_types.ts" */
/** @import { ViewName } from "../router.js" */

const STEPS = /** @type {const} */ (["computer", "model", "hello"]);

export function WelcomeView() {
  const [at, setAt] = useState(0);
  /** The model that was taken. */
  const [taken, setTaken] = useState(/** @type {string | null} */ (null));
  const heading = useRef(/** @type {HTMLHeadingElement | null} */ (null));
  const isFirst = useRef(true);
  const step = STEPS[at] ?? "computer";
  useEffect(() => {
    // The shell puts the focus on the title of a new view; on a new step it is ours.
    if (!isFirst.current) heading.current?.focus();
    isFirst.current = false;
  }, [at]);
  return html`
    <section class="view welcome" data-step=${step}>
      <header class="welcome-head">
        <h1 tabindex="-1">${t("welcome.title")}</h1>
        <p class="muted">${t("welcome.lead")}</p>
      </header>
      <ol class="welcome-steps" aria-label=${t("welcome.steps")}>
        ${STEPS.map((name, index) =>
          html`
            <li key=${name} data-done=${String(index < at)} aria-current=${index === at
              ? "step"
              : undefined}>
              <span>${t(`welcome.step.${name}`)}</span>
            </li>
          `
        )}
      </ol>
      <div class="card welcome-card stack">
        <h2 tabindex="-1" ref=${heading}>${t(`welcome.${step}`)}</h2>
        ${step === "computer" && html`<${ComputerStep} />`}
        ${step === "model" && html`<${ModelStep} onTake=${setTaken} />`}
        ${step === "hello" && html`<${HelloStep} taken=${taken} onLeave=${leave} />`}
        <div class="row welcome-ways">
          ${at > 0 && html`
            <${Button} kind="quiet" icon="back" onClick=${() => setAt(at - 1)}>${t(
              "welcome.back",
            )}<//>
          `}
          ${at < STEPS.length - 1 && html`
            <${Button} kind=${step === "model" && taken === null
              ? "plain"
              : "primary"} class="welcome-next"
              onClick=${() => setAt(at + 1)}>
              ${t(step === "model" && taken === null ? "welcome.later" : "welcome.next")}
            <//>
          `}
        </div>
      </div>
      <p class="welcome-skip">
        <${Button} kind="quiet" onClick=${() => leave("home")}>
          ${t(at === STEPS.length - 1 ? "welcome.home" : "welcome.skip")}
        <//>
      </p>
    </section>
  `;
}

/**
 * From now on the page opens at home.
 *
 * @param {ViewName} view
 * @param {string | null} [argument]
 */
function leave(view, argument = null) {
  keep("welcomed", "yes");
  go(view, argument);
}

function ComputerStep() {
  const info = system.value;
  if (info === null) return html`<p class="muted">${t("welcome.looking")}</p>`;
  const { memory, disk } = info;
  const budget = memory.budget_bytes;
  return html`
    <p>${t("welcome.computer.text")}</p>
    <dl class="welcome-facts welcome-computer">
      <${Fact} name="memory" value=${sizeOrUnknown(memory.total_bytes)} detail=${freeText(memory)}>
        ${memory.total_bytes !== null && memory.available_bytes !== null && html`
          <${Meter} value=${1 - memory.available_bytes / memory.total_bytes} label=${freeText(
            memory,
          )} />
        `}
      <//>
      <${Fact} name="cpu" value=${coresText(info)} detail=${info.cpu.model} />
      <${Fact} name="gpu" ...${gpuOf(info)} />
      <${Fact} name="disk" value=${sizeOrUnknown(disk.free_bytes)} detail=${t(
        "welcome.disk_free",
      )} />
    </dl>
    ${budget !== null && html`
      <p class="welcome-verdict">${t("welcome.verdict", { size: formatBytes(budget) })}</p>
    `}
  `;
}

/**
 * @param {{
 *   name: string, value: string, detail?: string | null,
 *   children?: import("preact").ComponentChildren,
 * }} props
 */
function Fact({ name, value, detail, children }) {
  return html`
    <div class="welcome-fact" data-fact=${name}>
      <dt>${t(`welcome.fact.${name}`)}</dt>
      <dd>
        <strong>${value}</strong>
        ${children}
        ${detail && html`<span class="muted">${detail}</span>`}
      </dd>
    </div>
  `;
}

/** @param {SystemInfo} info */
function coresText({ cpu }) {
  const count = cpu.physical_cores ?? cpu.logical_cores;
  return count === null ? t("welcome.unknown") : t("welcome.cores", { count });
}

/** @param {SystemInfo} info */
function gpuOf({ gpus }) {
  const [gpu] = gpus;
  if (gpu === undefined) return { value: t("welcome.no_gpu"), detail: t("welcome.no_gpu_text") };
  const size = gpu.unified === true ? null : gpu.vram_total_bytes;
  return { value: gpu.name ?? t("welcome.gpu"), detail: size === null ? null : formatBytes(size) };
}

/** @param {SystemInfo["memory"]} memory */
function freeText({ total_bytes: total, available_bytes: free }) {
  if (total === null || free === null) return "";
  return t("welcome.memory_free", {
    size: formatBytes(free),
    percent: formatPercent(free / total),
  });
}

/** @param {number | null} bytes */
function sizeOrUnknown(bytes) {
  return bytes === null ? t("welcome.unknown") : formatBytes(bytes);
}

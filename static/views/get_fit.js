// How a model would run here, drawn: the memory that it takes, and how fast it would write.

import { html } from "htm/preact";
import { useComputed } from "@preact/signals";
import { formatBytes, formatSpeed, t } from "../i18n.js";
import { Meter } from "../parts/measures.js";
import { system } from "../store.js";
import { speedWord } from "../texts.js";

/** @import { Fit } from "../../src/api_types.ts" */

/** Full bar: nobody reads so fast. */
const FULL_SPEED = 40;
/** Below the first it is slow, from the second on fast; as `speedWord()` has it. */
const READABLE_SPEED = 8;
const FAST_SPEED = 20;

/**
 * @param {{ fit: Fit | null, hasSpeed?: boolean }} props `hasSpeed`: it writes, so that its speed matters.
 */
export function FitBars({ fit, hasSpeed = true }) {
  if (fit === null) return null;
  return html`<div class="get-bars">
    <${MemoryBar} fit=${fit} />
    ${hasSpeed && html`<${SpeedBar} fit=${fit} />`}
  </div>`;
}

/** @param {{ fit: Fit }} props */
function MemoryBar({ fit }) {
  const budget = useComputed(() => system.value?.memory.budget_bytes ?? null).value;
  const amount = budget === null
    ? formatBytes(fit.ram_bytes)
    : t("get.memory_of", { need: formatBytes(fit.ram_bytes), budget: formatBytes(budget) });
  const share = budget === null ? null : fit.ram_bytes / budget;
  const tone = share === null || share > 1 ? "bad" : share > 0.8 ? "warn" : "good";
  return html`<div class="get-bar">
    <p class="get-bar-words"><span class="muted">${t("get.memory")}</span><span>${amount}</span></p>
    ${
    share !== null &&
    html`<${Bar} share=${share} tone=${tone} label=${`${t("get.memory")}: ${amount}`} />`
  }
    ${
    fit.vram_bytes > 0 &&
    html`<p class="muted">${t("get.vram", { amount: formatBytes(fit.vram_bytes) })}</p>`
  }
  </div>`;
}

/** @param {{ fit: Fit }} props */
export function SpeedBar({ fit: { tokens_per_second: speed } }) {
  if (speed === null) {
    return html`
      <div class="get-bar">
        <p class="get-bar-words muted"><span>${t("get.speed")}</span><span>${t(
          "get.speed_unknown",
        )}</span></p>
      </div>
    `;
  }
  const tone = speed >= FAST_SPEED ? "good" : speed >= READABLE_SPEED ? "warn" : "bad";
  const word = speedWord(speed);
  const amount = formatSpeed(speed);
  return html`
    <div class="get-bar">
      <p class="get-bar-words">
          <span><span class="muted">${t(
            "get.speed",
          )}</span> <strong>${word}</strong></span><span>${amount}</span>
      </p>
      <${Bar} share=${speed / FULL_SPEED} tone=${tone} label=${`${
        t("get.speed")
      }: ${word}, ${amount}`} />
    </div>
  `;
}

/** @param {{ share: number, tone: string, label: string }} props */
function Bar({ share, tone, label }) {
  const value = Math.min(1, share);
  return html`<${Meter} value=${value} label=${label} parts=${[{ value, label, tone }]} />`;
}

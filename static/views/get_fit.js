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

/** @param {{ fit: Fit | null }} props */
export function FitBars({ fit }) {
  if (fit === null) return null;
  return html`
    <div class="get-bars">
      <${MemoryBar} fit=${fit} />
      <${SpeedBar} fit=${fit} />
    </div>
  `;
}

/** @param {{ fit: Fit }} props */
function MemoryBar({ fit }) {
  const budget = useComputed(() => system.value?.memory.budget_bytes ?? null).value;
  const words = budget === null
    ? formatBytes(fit.ram_bytes)
    : t("get.memory_of", { need: formatBytes(fit.ram_bytes), budget: formatBytes(budget) });
  const share = budget === null ? null : fit.ram_bytes / budget;
  const tone = share === null || share > 1 ? "bad" : share > 0.8 ? "warn" : "good";
  return html`<div class="get-bar">
    <span class="get-bar-name">${t("get.memory")}</span>
    ${
    share !== null &&
    html`
      <${Meter} value=${Math.min(1, share)} label=${`${t("get.memory")}: ${words}`}
        parts=${[{ value: Math.min(1, share), label: words, tone }]} />
    `
  }
    <span class="get-bar-words">${words}</span>
    ${
    fit.vram_bytes > 0 &&
    html`<span class="get-bar-more">${
      t("get.vram", { amount: formatBytes(fit.vram_bytes) })
    }</span>`
  }
  </div>`;
}

/** @param {{ fit: Fit }} props */
export function SpeedBar({ fit: { tokens_per_second: speed } }) {
  if (speed === null) {
    return html`
      <div class="get-bar">
        <span class="get-bar-name">${t("get.speed")}</span>
        <span class="get-bar-words muted">${t("get.speed_unknown")}</span>
      </div>
    `;
  }
  const share = Math.min(1, speed / FULL_SPEED);
  const tone = speed >= FAST_SPEED ? "good" : speed >= READABLE_SPEED ? "warn" : "bad";
  const words = `${speedWord(speed)}, ${formatSpeed(speed)}`;
  return html`
    <div class="get-bar">
      <span class="get-bar-name">${t("get.speed")}</span>
      <${Meter} value=${share} label=${`${t("get.speed")}: ${words}`}
        parts=${[{ value: share, label: words, tone }]} />
      <span class="get-bar-words"><strong>${speedWord(speed)}</strong> ${formatSpeed(speed)}</span>
    </div>
  `;
}

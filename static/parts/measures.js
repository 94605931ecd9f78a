// Numbers that people compare, drawn. The words beside them are the view's.

import { html } from "htm/preact";
import { formatBytes, formatPercent, t } from "../i18n.js";

/**
 * @typedef {object} MeterPart
 * @property {number} value Its share of the whole, 0 to 1.
 * @property {string} label
 * @property {string} [tone] `accent`, `good`, `warn`, `bad`, `muted`, or `1` to `6` for things of one kind.
 */

/**
 * How much of something is used. Parts are stacked; what `value` says beyond them is drawn as the rest.
 *
 * @param {{ value?: number, label: string, parts?: MeterPart[] }} props
 */
export function Meter({ value, label, parts = [] }) {
  const known = parts.reduce((sum, part) => sum + shareOf(part.value), 0);
  const whole = shareOf(value ?? known);
  /** @type {MeterPart[]} */
  const pieces = parts.length === 0
    ? [{ value: whole, label: "", tone: whole > 0.92 ? "bad" : "accent" }]
    : whole - known > 0.001
    ? [...parts, { value: whole - known, label: "", tone: "muted" }]
    : parts;
  let start = 0;
  return html`
    <svg class="meter" viewBox="0 0 1000 10" preserveAspectRatio="none" role="meter"
      aria-label=${label}
      aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(whole * 100)}
      aria-valuetext=${formatPercent(whole)}>
      ${pieces.map((piece) => {
        const x = start;
        const width = Math.min(1000 - x, shareOf(piece.value) * 1000);
        start += width;
        return html`<rect class=${`tone-${
          piece.tone ?? "accent"
        }`} x=${x} y="0" width=${width} height="10">
        ${piece.label !== "" && html`<title>${piece.label}</title>`}
      </rect>`;
      })}
    </svg>
  `;
}

/**
 * How far something is; null where nobody knows.
 *
 * @param {{ value: number | null, label: string }} props
 */
export function Progress({ value, label }) {
  const share = value === null ? null : shareOf(value);
  return html`
    <svg class=${share === null ? "progress unknown" : "progress"} viewBox="0 0 1000 10"
      preserveAspectRatio="none" role="progressbar" aria-label=${label} aria-valuemin="0"
      aria-valuemax="100" aria-valuenow=${share === null ? undefined : Math.round(share * 100)}
      aria-valuetext=${share === null ? undefined : formatPercent(share)}>
      <rect class="tone-accent" x="0" y="0" width=${share === null
        ? 300
        : share * 1000} height="10" />
    </svg>
  `;
}

/**
 * The last values of something that changes, the newest at the end. Unknown ones are left out.
 *
 * @param {{ values: (number | null)[], max: number, label: string, length?: number }} props
 */
export function Sparkline({ values, max, label, length = 60 }) {
  const shown = values.slice(-length);
  const step = 200 / (length - 1);
  const first = length - shown.length;
  const points = shown.flatMap((value, index) => {
    if (value === null) return [];
    const y = 39 - 38 * (max > 0 ? shareOf(value / max) : 0);
    return [[(first + index) * step, y]];
  }).map(([x, y]) => `${Number(x).toFixed(1)} ${Number(y).toFixed(1)}`);
  const line = points.length < 2 ? "" : `M${points.join("L")}`;
  const startX = points[0]?.split(" ")[0];
  return html`
    <svg class="sparkline" viewBox="0 0 200 40" preserveAspectRatio="none" role="img"
      aria-label=${label}>
      ${line !== "" && html`
        <path class="area" d=${`${line}V40H${startX}Z`} />
        <path class="line" d=${line} />
      `}
    </svg>
  `;
}

/** @param {{ value: number | null | undefined }} props */
export function Bytes({ value }) {
  return html`<span class="bytes">${
    value === null || value === undefined ? t("unit.unknown") : formatBytes(value)
  }</span>`;
}

/** @param {number} value */
function shareOf(value) {
  return Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0;
}

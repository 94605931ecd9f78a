// The page's words and numbers in the user's language. What the server's codes mean is texts.js's.

import { batch, signal } from "@preact/signals";
import { keep } from "./preferences.js";

/** @import { ComponentChild } from "preact" */
/** @typedef {"en" | "bn"} Language */
/** @typedef {string | { one: string, other: string }} Text */

/** @type {readonly Language[]} */
export const LANGUAGES = ["en", "bn"];

/** Read-only for others: `setLanguage()` changes it. @type {import("@preact/signals").Signal<Language>} */
export const language = signal(document.documentElement.lang === "bn" ? "bn" : "en");
/** @type {import("@preact/signals").Signal<Record<string, Text>>} */
const texts = signal({});

/** Loads the words of the language that the page has now. */
export async function loadTexts() {
  texts.value = await textsOf(language.peek());
}

/** @param {Language} code */
export async function setLanguage(code) {
  const loaded = await textsOf(code);
  batch(() => {
    language.value = code;
    texts.value = loaded;
  });
  document.documentElement.lang = code;
  keep("language", code);
}

/**
 * @param {Language} code
 * @returns {Promise<Record<string, Text>>}
 */
async function textsOf(code) {
  const response = await fetch(`/static/i18n/${code}.json`);
  if (!response.ok) throw new Error(`The words of ${code} were not sent: ${response.status}`);
  return await response.json();
}

/**
 * The words under this key; numbers among the values are written in the language's digits. A key
 * without words is shown itself.
 *
 * @param {string} key
 * @param {Record<string, unknown>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  return textOf(key, values).replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return value === undefined ? whole : String(shown(value));
  });
}

/**
 * The same where values are pieces of the page: the words between them as an array.
 *
 * @param {string} key
 * @param {Record<string, ComponentChild>} values
 * @returns {ComponentChild[]}
 */
export function tx(key, values) {
  return textOf(key, values).split(/(\{\w+\})/).filter((each) => each !== "").map((each) => {
    const name = /^\{(\w+)\}$/.exec(each)?.[1];
    const value = name === undefined ? undefined : values[name];
    return value === undefined ? each : /** @type {ComponentChild} */ (shown(value));
  });
}

/**
 * @param {string} key
 * @returns {boolean}
 */
export function hasText(key) {
  return Object.hasOwn(texts.value, key);
}

/**
 * @param {string} key
 * @param {Record<string, unknown>} values
 * @returns {string}
 */
function textOf(key, values) {
  const found = Object.hasOwn(texts.value, key) ? texts.value[key] : undefined;
  if (found === undefined) {
    // deno-lint-ignore no-console -- a developer's mistake, which the tests look for.
    console.error(`No words for "${key}"`);
    return key;
  }
  if (typeof found === "string") return found;
  const category = new Intl.PluralRules(language.value).select(Number(values.count ?? 0));
  return category === "one" ? found.one : found.other;
}

/** @param {unknown} value */
function shown(value) {
  return typeof value === "number" ? formatNumber(value) : value;
}

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/**
 * @param {Intl.NumberFormatOptions} options
 * @returns {Intl.NumberFormat}
 */
function formatOf(options) {
  const key = `${language.value} ${JSON.stringify(options)}`;
  let format = formats.get(key);
  if (format === undefined) {
    formats.set(key, format = new Intl.NumberFormat(language.value, options));
  }
  return format;
}

/**
 * @param {number} value
 * @param {Intl.NumberFormatOptions} [options]
 */
export function formatNumber(value, options = { maximumFractionDigits: 2 }) {
  return formatOf(options).format(value);
}

/** @param {number} share 0 to 1. */
export function formatPercent(share) {
  return formatOf({ style: "percent", maximumFractionDigits: 0 }).format(share);
}

const BYTE_UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/**
 * `2.4 GB`, in thousands as disks are sold.
 *
 * @param {number} bytes
 */
export function formatBytes(bytes) {
  let amount = bytes;
  let unit = 0;
  // What would be rounded to 1000 is one of the next unit.
  while (unit < BYTE_UNITS.length - 1 && Math.abs(amount) >= (unit === 0 ? 1000 : 999.5)) {
    amount /= 1000;
    unit++;
  }
  const digits = unit < 2 || amount >= 99.95 ? 0 : 1;
  return formatOf({
    style: "unit",
    unit: /** @type {string} */ (BYTE_UNITS[unit]),
    unitDisplay: unit === 0 ? "long" : "short",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(amount);
}

/**
 * `45 sec`, `12 min 5 sec`, `3 hr 20 min`, `2 days`
 *
 * @param {number} seconds
 */
export function formatDuration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return amountOf(whole, "second");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return pairOf([minutes, "minute"], [whole % 60, "second"]);
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return pairOf([hours, "hour"], [minutes % 60, "minute"]);
  return amountOf(Math.floor(hours / 24), "day");
}

/**
 * @param {[number, string]} first
 * @param {[number, string]} second
 */
function pairOf(first, second) {
  return second[0] === 0 ? amountOf(...first) : `${amountOf(...first)} ${amountOf(...second)}`;
}

/**
 * @param {number} amount
 * @param {string} unit
 */
function amountOf(amount, unit) {
  return formatOf({ style: "unit", unit, unitDisplay: "short" }).format(amount);
}

/**
 * The time of today, with the date for other days.
 *
 * @param {string | number} moment An ISO time, or milliseconds since 1970.
 * @param {Intl.DateTimeFormatOptions} [options]
 */
export function formatTime(moment, options) {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return "";
  const isToday = date.toDateString() === new Date().toDateString();
  const chosen = options ??
    (isToday ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
  return new Intl.DateTimeFormat(
    language.value,
    /** @type {Intl.DateTimeFormatOptions} */ (chosen),
  ).format(date);
}

/**
 * `12.4 tokens a second`, in as many digits as mean something.
 *
 * @param {number} tokensPerSecond
 */
export function formatSpeed(tokensPerSecond) {
  const digits = tokensPerSecond < 10 ? 1 : 0;
  return t("unit.tokens_per_second", {
    amount: formatNumber(tokensPerSecond, { maximumFractionDigits: digits }),
  });
}

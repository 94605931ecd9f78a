// The server's codes in the user's language, with the facts that came with them.

import {
  formatBytes,
  formatDuration,
  formatNumber,
  formatSpeed,
  hasText,
  language,
  t,
} from "./i18n.js";

/** @import { Badge } from "../src/api_types.ts" */
/** @typedef {Record<string, unknown>} Values */

/**
 * Why a model has its badge: one plain sentence.
 *
 * @param {Pick<Badge, "code" | "values">} badge
 */
export function badgeReason({ code, values }) {
  const key = `badge.reason.${code}`;
  if (!hasText(key)) return t("badge.reason.other", { code });
  if (code === "too_large") return tooLarge(values);
  const speed = numberOf(values.tokens_per_second);
  return t(code === "slow" && speed === null ? "badge.reason.slow_unknown" : key, {
    memory: memoryWords(values),
    context: numberOf(values.context) ?? 0,
    speed: speed === null ? "" : formatSpeed(speed),
  });
}

/** @param {Values} values */
function memoryWords(values) {
  const { need, free } = neededAndFree(values.need_bytes, values.free_bytes);
  if ((numberOf(values.need_vram_bytes) ?? 0) === 0) {
    return free === null ? t("badge.memory_need", { need }) : t("badge.memory", { need, free });
  }
  const vram = neededAndFree(values.need_vram_bytes, values.free_vram_bytes);
  return free === null || vram.free === null
    ? t("badge.memory_gpu_need", { need, vram: vram.need })
    : t("badge.memory_gpu", { need, free, vram: vram.need, free_vram: vram.free });
}

/** @param {Values} values */
function tooLarge(values) {
  const vram = numberOf(values.need_vram_bytes) ?? 0;
  if (values.choose === "fewer_gpu_layers") {
    return t("badge.reason.too_large_gpu", {
      need: formatBytes(rounded(vram, Math.ceil)),
      free: formatBytes(rounded(numberOf(values.free_vram_bytes) ?? 0, Math.floor)),
    });
  }
  const largest = numberOf(values.largest_weights_bytes) ?? 0;
  const advice = values.choose === "smaller_quantization" ? "smaller_version" : "smaller_model";
  return t("badge.reason.too_large", {
    need: formatBytes(rounded(numberOf(values.need_bytes) ?? 0, Math.ceil)),
    budget: formatBytes(rounded(numberOf(values.budget_bytes) ?? 0, Math.floor)),
    advice: largest > 0
      ? t(`badge.${advice}_most`, { largest: formatBytes(rounded(largest, Math.floor)) })
      : t(`badge.${advice}`),
  });
}

/**
 * Rounded so that what does not fit never looks as if it did.
 *
 * @param {unknown} needBytes
 * @param {unknown} freeBytes
 */
function neededAndFree(needBytes, freeBytes) {
  const need = numberOf(needBytes) ?? 0;
  const free = numberOf(freeBytes);
  if (free === null) return { need: formatBytes(need), free: null };
  if (need <= free) return { need: formatBytes(need), free: formatBytes(free) };
  return {
    need: formatBytes(rounded(need, Math.ceil)),
    free: formatBytes(rounded(free, Math.floor)),
  };
}

/**
 * To the digits that formatBytes() shows.
 *
 * @param {number} bytes
 * @param {(value: number) => number} round
 */
function rounded(bytes, round) {
  if (bytes < 1e6) return bytes;
  const unit = 1000 ** Math.floor(Math.log10(bytes) / 3);
  const digits = bytes / unit >= 99 ? 1 : 10;
  return round(bytes / unit * digits) / digits * unit;
}

/**
 * What failed, and what to do next. In English the server's own sentence, which knows most; in other
 * languages its code and facts in words.
 *
 * @param {unknown} error An ApiError, an ErrorBody, or anything that was thrown.
 * @returns {string}
 */
export function errorText(error) {
  const { code, message, values } = toldBy(error);
  const isOurs = code === "unreachable" || code === "unexpected_answer";
  if (language.value === "en" && !isOurs && message !== "") return sentence(message);
  const keys = [`error.${code}.${values.reason}`, `error.${code}`];
  const key = keys.find(hasText);
  if (key === undefined) return t("error.other", { code });
  // Facts that did not come with it.
  return t(key, wordsOf(values)).replace(/\{\w+\}/g, t("unit.unknown"));
}

/**
 * @param {unknown} error
 * @returns {{ code: string, message: string, values: Values }}
 */
function toldBy(error) {
  const { code, message, values } = /** @type {Values} */ (Object(error));
  return {
    code: typeof code === "string" ? code : "internal",
    // What is not the server's is a mistake of this page: its words are for the console.
    message: typeof code === "string" && typeof message === "string" ? message : "",
    values: /** @type {Values} */ (Object(values ?? {})),
  };
}

/** @param {string} message */
function sentence(message) {
  return /[.!?]$/.test(message) ? message : `${message}.`;
}

/**
 * Facts in words: by the unit that their names end with.
 *
 * @param {Values} values
 * @returns {Record<string, string>}
 */
function wordsOf(values) {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, wordOf(name, value)]),
  );
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function wordOf(name, value) {
  if (typeof value !== "number") return value === null ? t("unit.unknown") : String(value);
  if (name === "port" || name === "exit_code") return String(value);
  if (/bytes$/.test(name)) return formatBytes(value);
  if (/_ms$/.test(name)) return formatDuration(value / 1000);
  if (/seconds$/.test(name)) return formatDuration(value);
  return formatNumber(value);
}

/** @param {number} tokensPerSecond People read about 5 words a second: some 7 tokens. */
export function speedWord(tokensPerSecond) {
  if (tokensPerSecond >= 20) return t("speed.fast");
  return t(tokensPerSecond >= 8 ? "speed.readable" : "speed.slow");
}

/**
 * @param {string} code Such as `bn`.
 * @returns {string}
 */
export function languageName(code) {
  try {
    return new Intl.DisplayNames([language.value], { type: "language" }).of(code) ?? code;
  } catch {
    // A repository may call anything a language.
    return code;
  }
}

/** @param {unknown} value */
function numberOf(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

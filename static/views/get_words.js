// Amounts and facts of the view GET in words.

import { formatBytes, formatDuration, formatNumber, formatPercent, language, t } from "../i18n.js";
import { languageName } from "../texts.js";

/** @import { DownloadRow } from "../../src/api_types.ts" */

/** Names that people know for what the Hub writes; those that anybody may use for anything first. */
const FREE_LICENCES = new Map([
  ["apache-2.0", "Apache 2.0"],
  ["mit", "MIT"],
  ["bsd-3-clause", "BSD"],
  ["bsd-2-clause", "BSD"],
  ["cc0-1.0", "CC0"],
  ["cc-by-4.0", "CC BY 4.0"],
  ["unlicense", "Unlicense"],
]);
const OTHER_LICENCES = new Map([
  ["gemma", "Gemma"],
  ["llama2", "Llama 2"],
  ["llama3", "Llama 3"],
  ["llama3.1", "Llama 3.1"],
  ["llama3.2", "Llama 3.2"],
  ["llama3.3", "Llama 3.3"],
  ["lfm1.0", "LFM 1.0"],
  ["cc-by-nc-4.0", "CC BY-NC 4.0"],
]);

/** @param {string} code As the Hub writes it. */
export function licenceText(code) {
  const key = code.toLowerCase();
  const free = FREE_LICENCES.get(key);
  if (free !== undefined) return t("get.licence_free", { name: free });
  return t("get.licence_terms", { name: OTHER_LICENCES.get(key) ?? code });
}

/**
 * The reader's own language and English first, since those are what is looked for.
 *
 * @param {readonly string[]} codes
 */
export function sortedLanguages(codes) {
  const rank = (/** @type {string} */ code) =>
    code === language.value ? 0 : code === "bn" ? 1 : code === "en" ? 2 : 3;
  return [...new Set(codes)].sort((a, b) => rank(a) - rank(b));
}

const MOST_LANGUAGES = 2;

/** @param {readonly string[]} codes */
export function languagesText(codes) {
  if (codes.length === 0) return t("get.languages_unknown");
  const sorted = sortedLanguages(codes);
  const shown = sorted.slice(0, MOST_LANGUAGES).map(languageName).join(", ");
  const more = sorted.length - MOST_LANGUAGES;
  return more > 0 ? t("get.languages_more", { names: shown, count: more }) : shown;
}

/** @param {number} count Such as 3800000000. */
export function countText(count) {
  return formatNumber(count, { notation: "compact", maximumSignificantDigits: 2 });
}

/**
 * 0 to 1; null where the whole is not known yet.
 *
 * @param {Pick<DownloadRow, "bytes_done" | "bytes_total">} row
 */
export function shareOf({ bytes_done, bytes_total }) {
  return bytes_total === null || bytes_total === 0 ? null : bytes_done / bytes_total;
}

/** @param {DownloadRow} row */
export function stateText(row) {
  return t(`get.state_${row.state}`);
}

/**
 * `1.2 GB of 4.4 GB (27%)`
 *
 * @param {DownloadRow} row
 */
export function amountText(row) {
  const share = shareOf(row);
  if (share === null || row.bytes_total === null) {
    return row.bytes_done > 0 ? formatBytes(row.bytes_done) : "";
  }
  return t("get.amount", {
    done: formatBytes(row.bytes_done),
    total: formatBytes(row.bytes_total),
    // 100 % only where it is the whole.
    percent: formatPercent(Math.floor(share * 100) / 100),
  });
}

/** @param {number} bytesPerSecond */
export function rateText(bytesPerSecond) {
  return t("get.rate", { amount: formatBytes(bytesPerSecond) });
}

/** @param {number} seconds */
export function leftText(seconds) {
  return t("get.left", { time: formatDuration(seconds) });
}

/**
 * The last part of a path.
 *
 * @param {string} path
 */
export function baseName(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * The page of a repository, for people to open.
 *
 * @param {string} repo
 */
export function hubPage(repo) {
  return `https://huggingface.co/${repo.split("/").map(encodeURIComponent).join("/")}`;
}

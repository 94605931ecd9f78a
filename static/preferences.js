// What this browser keeps for its user: theme, language, whether the first steps were seen. In a
// browser that keeps nothing it holds until the page is closed.

import { signal } from "@preact/signals";

/** @typedef {"system" | "light" | "dark"} Theme */

/** @type {Map<string, string>} */
const unkept = new Map();

/**
 * @param {string} name
 * @returns {string | null}
 */
export function readKept(name) {
  try {
    return localStorage.getItem(`zombie.${name}`);
  } catch {
    return unkept.get(name) ?? null;
  }
}

/**
 * @param {string} name
 * @param {string | null} value Null forgets it.
 */
export function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(`zombie.${name}`);
    else localStorage.setItem(`zombie.${name}`, value);
  } catch {
    if (value === null) unkept.delete(name);
    else unkept.set(name, value);
  }
}

/** Read-only for others: `setTheme()` changes it. */
export const theme = signal(themeOf(readKept("theme")));

/** @param {Theme} chosen */
export function setTheme(chosen) {
  theme.value = chosen;
  keep("theme", chosen === "system" ? null : chosen);
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

/**
 * @param {string | null} word
 * @returns {Theme}
 */
function themeOf(word) {
  return word === "light" || word === "dark" ? word : "system";
}

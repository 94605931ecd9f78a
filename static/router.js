// Where the page is: `#/view/argument`. Views are named here, drawn by the shell.

import { signal } from "@preact/signals";
import { readKept } from "./preferences.js";

/** @typedef {"home" | "get" | "models" | "chat" | "connect" | "settings" | "logs" | "welcome"} ViewName */
/** @typedef {{ view: ViewName, argument: string | null }} Route */

/** @type {readonly ViewName[]} */
export const VIEWS = ["home", "get", "models", "chat", "connect", "settings", "logs", "welcome"];

/** Read-only for others: `go()` changes it. */
export const route = signal(routeNow());

addEventListener("hashchange", () => {
  route.value = routeNow();
});

/**
 * @param {ViewName} view
 * @param {string | null} [argument] Such as a model's name.
 */
export function hrefOf(view, argument = null) {
  return argument === null ? `#/${view}` : `#/${view}/${encodeURIComponent(argument)}`;
}

/**
 * @param {ViewName} view
 * @param {string | null} [argument]
 */
export function go(view, argument = null) {
  location.hash = hrefOf(view, argument);
}

/** @returns {Route} */
function routeNow() {
  const [, name = "", ...rest] = location.hash.split("/");
  const view = VIEWS.find((each) => each === name);
  if (view === undefined) {
    return { view: readKept("welcomed") === null ? "welcome" : "home", argument: null };
  }
  const raw = rest.join("/");
  try {
    return { view, argument: raw === "" ? null : decodeURIComponent(raw) };
  } catch {
    // A person typed a lone percent sign.
    return { view, argument: raw };
  }
}

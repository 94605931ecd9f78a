// What stands around every view: the header with the server's state, the ways to go, and what covers a
// view while the server wants a key.

import { useComputed } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useErrorBoundary, useRef, useState } from "preact/hooks";
import { language, LANGUAGES, setLanguage, t } from "./i18n.js";
import { KeyEntry } from "./key_entry.js";
import { Button } from "./parts/controls.js";
import { Icon } from "./parts/icon.js";
import { Overlays, toastError } from "./parts/overlays.js";
import { setTheme, theme } from "./preferences.js";
import { hrefOf, route } from "./router.js";
import { connecting, needsKey, online, port } from "./store.js";

/** @import { ComponentType } from "preact" */
/** @import { Language } from "./i18n.js" */
/** @import { IconName } from "./parts/icon.js" */
/** @import { ViewName } from "./router.js" */

/** Loaded when they are first shown, or when there is time. @type {Record<ViewName, () => Promise<ComponentType>>} */
const LOADERS = {
  home: async () => (await import("./views/home.js")).HomeView,
  get: async () => (await import("./views/get.js")).GetView,
  models: async () => (await import("./views/models.js")).ModelsView,
  chat: async () => (await import("./views/chat.js")).ChatView,
  connect: async () => (await import("./views/connect.js")).ConnectView,
  settings: async () => (await import("./views/settings.js")).SettingsView,
  logs: async () => (await import("./views/logs.js")).LogsView,
  welcome: async () => (await import("./views/welcome.js")).WelcomeView,
};

/** @type {{ view: ViewName, icon: IconName }[]} */
const PLACES = [
  { view: "home", icon: "home" },
  { view: "get", icon: "download" },
  { view: "models", icon: "folder" },
  { view: "chat", icon: "chat" },
  { view: "connect", icon: "plug" },
  { view: "settings", icon: "settings" },
  { view: "logs", icon: "logs" },
];
/** As many stand in the bar of a phone; the others are behind one button there. */
const PLACES_IN_BAR = 4;

const DARK = matchMedia("(prefers-color-scheme: dark)");

export function Shell() {
  const { view } = route.value;
  const wants = needsKey.value;
  return html`
    <a class="skip-link" href="#content" onClick=${skipToContent}>${t("shell.skip")}</a>
    <${Header} />
    <${Navigation} current=${view} />
    <main id="content" tabindex="-1">
      <${OfflineNote} />
      ${wants === null
        ? html`<${View} key=${view} name=${view} />`
        : html`<${KeyEntry} why=${wants} />`}
    </main>
    <${Overlays} />
  `;
}

/** @param {MouseEvent} event */
function skipToContent(event) {
  // The address is the view's.
  event.preventDefault();
  document.getElementById("content")?.focus();
}

function Header() {
  return html`
    <header class="top">
      <a class="brand" href=${hrefOf("home")} aria-label=${t("shell.name")}>
        <img src="/static/icon.svg" alt="" width="28" height="28" />
        <span class="brand-name">${t("shell.name")}</span>
      </a>
      <${ServerStatus} />
      <${LanguageSwitch} />
      <${ThemeSwitch} />
    </header>
  `;
}

function ServerStatus() {
  const state =
    useComputed(() => connecting.value ? "connecting" : online.value ? "online" : "offline").value;
  return html`
    <p class=${`server-status ${state}`} role="status">
      <svg class="dot" viewBox="0 0 12 12" aria-hidden="true">
        <circle cx="6" cy="6" r="5" />
      </svg>
      <span class="status-word">${t(`shell.${state}`)}</span>
      <span class="status-port">${t("shell.port", { port: String(port.value) })}</span>
    </p>
  `;
}

function LanguageSwitch() {
  /** @param {Language} code */
  const choose = async (code) => {
    try {
      await setLanguage(code);
    } catch (error) {
      toastError(error);
    }
  };
  return html`
    <div class="language-switch" role="group" aria-label=${t("shell.language")}>
      ${LANGUAGES.map((code) =>
        html`
          <button type="button" key=${code} lang=${code} aria-pressed=${language.value === code}
            onClick=${() => choose(code)}>${t(`shell.language_${code}`)}</button>
        `
      )}
    </div>
  `;
}

function ThemeSwitch() {
  const [isSystemDark, setSystemDark] = useState(() => DARK.matches);
  useEffect(() => {
    const look = () => setSystemDark(DARK.matches);
    DARK.addEventListener("change", look);
    return () => DARK.removeEventListener("change", look);
  }, []);
  const isDark = theme.value === "system" ? isSystemDark : theme.value === "dark";
  const words = t(isDark ? "shell.to_light" : "shell.to_dark");
  return html`
    <button type="button" class="button quiet round theme-switch" aria-label=${words}
      title=${words}
      onClick=${() => setTheme(isDark ? "light" : "dark")}>
      <${Icon} name=${isDark ? "sun" : "moon"} />
    </button>
  `;
}

/** @param {{ current: ViewName }} props */
function Navigation({ current }) {
  const more = useRef(/** @type {HTMLElement | null} */ (null));
  const isMore = PLACES.slice(PLACES_IN_BAR).some(({ view }) => view === current);
  /** @param {boolean} isSheet */
  const link = (isSheet) => (/** @type {typeof PLACES[number]} */ { view, icon }) =>
    html`
      <a key=${view} href=${hrefOf(view)} aria-current=${view === current ? "page" : undefined}
        onClick=${() => isSheet && more.current?.hidePopover()}>
        <${Icon} name=${icon} /><span>${t(`shell.nav.${view}`)}</span>
      </a>
    `;
  return html`
    <nav class="places" aria-label=${t("shell.nav.label")}>
      <div class="main-places">${PLACES.slice(0, PLACES_IN_BAR).map(link(false))}</div>
      <div class="more-places">${PLACES.slice(PLACES_IN_BAR).map(link(false))}</div>
      <button type="button" class=${isMore ? "more current" : "more"} popovertarget="more-places">
        <${Icon} name="more" /><span>${t("shell.nav.more")}</span>
      </button>
      <div id="more-places" popover ref=${more} class="more-sheet">
        ${PLACES.slice(PLACES_IN_BAR).map(link(true))}
      </div>
    </nav>
  `;
}

function OfflineNote() {
  if (connecting.value || online.value) return null;
  return html`
    <div class="offline-note" role="alert">
      <${Icon} name="warning" />
      <p><strong>${t("shell.offline_title")}</strong> ${t("shell.offline_text")}</p>
    </div>
  `;
}

/** @type {Map<ViewName, ComponentType>} */
const loaded = new Map();

/** @param {ViewName} name */
async function loadView(name) {
  const found = loaded.get(name) ?? await LOADERS[name]();
  loaded.set(name, found);
  return found;
}

/** The first view that is shown does not take the focus: nobody asked for it. */
let isFirst = true;

/** @param {{ name: ViewName }} props */
function View({ name }) {
  const [error, reset] = useErrorBoundary(report);
  const [isFailed, setFailed] = useState(false);
  const [, setLoaded] = useState(0);
  const element = useRef(/** @type {HTMLDivElement | null} */ (null));
  const Found = loaded.get(name);
  const load = async () => {
    setFailed(false);
    try {
      await loadView(name);
      setLoaded((count) => count + 1);
    } catch (failure) {
      report(failure);
      setFailed(true);
    }
  };
  useEffect(() => {
    if (Found === undefined) void load();
  }, []);
  useEffect(() => {
    document.title = name === "home"
      ? t("shell.name")
      : t("shell.title", { view: t(`shell.nav.${name}`), name: t("shell.name") });
  }, [name, language.value]);
  useEffect(() => {
    if (Found === undefined) return;
    if (!isFirst) focusHeading(element.current);
    isFirst = false;
  }, [Found]);
  if (error !== undefined || isFailed) {
    return html`
      <section class="view">
        <h1>${t("shell.broken_title")}</h1>
        <p>${t("shell.broken_text")}</p>
        <${Button} kind="primary" icon="reset" onClick=${isFailed ? load : reset}>${t(
          "shell.retry",
        )}</${Button}>
      </section>
    `;
  }
  return html`<div class="view-frame" ref=${element}>${
    Found !== undefined && html`<${Found} />`
  }</div>`;
}

/** @param {HTMLElement | null} frame */
function focusHeading(frame) {
  scrollTo(0, 0);
  const heading = frame?.querySelector("h1");
  if (heading === null || heading === undefined) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

/** @param {unknown} error */
function report(error) {
  // deno-lint-ignore no-console -- a mistake of ours, for who can look at it.
  console.error(error);
}

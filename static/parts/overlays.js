// What lies above the page: short messages, questions, dialogs.

import { signal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../i18n.js";
import { errorText } from "../texts.js";
import { Icon } from "./icon.js";

/** @import { ComponentChildren } from "preact" */
/** @typedef {"info" | "error" | "done"} ToastKind */
/** @typedef {{ id: number, text: string, kind: ToastKind }} Toast */
/** @typedef {{ title: string, text?: string, confirm: string, danger?: boolean }} Question */

/** Errors stay until they are closed: nobody has to read fast. */
const TOAST_MS = 6_000;
const MOST_TOASTS = 4;

/** @type {import("@preact/signals").Signal<Toast[]>} */
const toasts = signal([]);
/** @type {import("@preact/signals").Signal<(Question & { answer: (yes: boolean) => void }) | null>} */
const question = signal(null);
let lastId = 0;

/**
 * @param {string} text
 * @param {{ kind?: ToastKind }} [options]
 */
export function toast(text, { kind = "info" } = {}) {
  const id = ++lastId;
  const others = toasts.peek().filter((each) => each.text !== text || each.kind !== kind);
  toasts.value = [...others, { id, text, kind }].slice(-MOST_TOASTS);
  if (kind !== "error") setTimeout(() => dismiss(id), TOAST_MS);
}

/** @param {unknown} error */
export function toastError(error) {
  // Somebody left, or stopped it: nothing failed.
  if (error instanceof DOMException && error.name === "AbortError") return;
  toast(errorText(error), { kind: "error" });
}

/** @param {number} id */
function dismiss(id) {
  toasts.value = toasts.peek().filter((each) => each.id !== id);
}

/**
 * @param {Question} asked
 * @returns {Promise<boolean>} False also where the dialog is closed without an answer.
 */
export function confirmDialog(asked) {
  question.peek()?.answer(false);
  return new Promise((resolve) => {
    question.value = {
      ...asked,
      answer: (yes) => {
        question.value = null;
        resolve(yes);
      },
    };
  });
}

/**
 * @param {{ open: boolean, onClose: () => void, title: string, children?: ComponentChildren, class?: string }} props
 */
export function Dialog({ open, onClose, title, children, class: more = "" }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    if (dialog === null) return;
    if (open && !dialog.open) dialog.showModal();
    if (!open && dialog.open) dialog.close();
  }, [open]);
  /** @param {MouseEvent} event */
  const press = (event) => {
    // Beside it: its content fills all of it.
    if (event.target === element.current) onClose();
  };
  return html`
    <dialog ref=${element} class=${`dialog ${more}`} aria-labelledby=${id} onMouseDown=${press}
      onClose=${() => open && onClose()}>
      ${open && html`
        <div class="dialog-content">
          <header>
            <h2 id=${id}>${title}</h2>
            <button type="button" class="button quiet round" aria-label=${t(
              "shell.close",
            )} onClick=${onClose}>
              <${Icon} name="close" />
            </button>
          </header>
          ${children}
        </div>
      `}
    </dialog>
  `;
}

/**
 * The element that had the focus is gone: another one gets it, unless somebody has it by now.
 *
 * @param {() => HTMLElement | null} find
 */
export function refocus(find, frames = 60) {
  requestAnimationFrame(() => {
    // Behind a dialog that is about to close nothing takes the focus.
    if (frames > 0 && document.querySelector("dialog[open]") !== null) refocus(find, frames - 1);
    else if (document.activeElement === document.body) find()?.focus({ preventScroll: true });
  });
}

/** Where they are shown: once, by the shell. */
export function Overlays() {
  const asked = question.value;
  return html`
    <${Dialog} open=${asked !== null} title=${asked?.title ?? ""} onClose=${() =>
      asked?.answer(false)}
      class="question">
      ${asked?.text !== undefined && html`<p>${asked.text}</p>`}
      <div class="row end">
        <button type="button" class="button plain" autofocus onClick=${() => asked?.answer(false)}>
          ${t("shell.cancel")}
        </button>
        <button type="button" class=${`button ${asked?.danger ? "danger" : "primary"}`}
          onClick=${() => asked?.answer(true)}>${asked?.confirm}</button>
      </div>
    </${Dialog}>
    <${Toasts} />
  `;
}

function Toasts() {
  const element = useRef(/** @type {HTMLDivElement | null} */ (null));
  const shown = toasts.value;
  useEffect(() => {
    const list = element.current;
    if (list === null) return;
    // Always there, so that screen readers hear what comes; and again on top of a dialog opened since.
    const isOpen = list.matches(":popover-open");
    if (isOpen && document.querySelector("dialog[open]") !== null) list.hidePopover();
    else if (isOpen) return;
    list.showPopover();
  }, [shown]);
  return html`
    <div ref=${element} class="toasts" popover="manual">
      <div role="status" aria-live="polite" class="stack">
        ${shown.map(({ id, text, kind }) =>
          html`
            <div class=${`toast ${kind}`} key=${id}>
              <${Icon} name=${kind === "error" ? "warning" : "check"} />
              <span>${text}</span>
              <button type="button" class="button quiet round" aria-label=${t("shell.close")}
                onClick=${() => dismiss(id)}><${Icon} name="close" /></button>
            </div>
          `
        )}
      </div>
    </div>
  `;
}

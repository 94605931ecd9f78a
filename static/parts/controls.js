// What people press and fill in.

import { html } from "htm/preact";
import { cloneElement, toChildArray } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { t } from "../i18n.js";
import { Icon } from "./icon.js";
import { toastError } from "./overlays.js";

/** @import { ComponentChildren, VNode } from "preact" */
/** @import { IconName } from "./icon.js" */

/**
 * While what `onClick` promised is not done, it is busy. What that is rejected with becomes a toast.
 *
 * @param {{
 *   kind?: "primary" | "danger" | "quiet" | "plain",
 *   icon?: IconName,
 *   busy?: boolean,
 *   disabled?: boolean,
 *   type?: "button" | "submit",
 *   onClick?: (event: MouseEvent) => unknown,
 *   children?: ComponentChildren,
 *   [attribute: string]: unknown,
 * }} props
 */
export function Button(props) {
  const { kind = "plain", icon, busy = false, disabled = false, type = "button", ...others } =
    props;
  const { onClick, children, class: more = "", ...attributes } = others;
  const [isWorking, setWorking] = useState(false);
  const isThere = useRef(true);
  useEffect(() => {
    isThere.current = true;
    return () => {
      isThere.current = false;
    };
  }, []);
  const isBusy = busy || isWorking;
  /** @param {MouseEvent} event */
  const press = async (event) => {
    if (isBusy) return event.preventDefault();
    const result = onClick?.(event);
    if (!(result instanceof Promise)) return;
    setWorking(true);
    try {
      await result;
    } catch (error) {
      toastError(error);
    } finally {
      if (isThere.current) setWorking(false);
    }
  };
  return html`
    <button ...${attributes} type=${type} class=${`button ${kind} ${more}`} disabled=${disabled}
      aria-busy=${isBusy ? "true" : undefined} onClick=${press}>
      ${isBusy
        ? html`<span class="spinner" aria-hidden="true"></span>`
        : icon && html`<${Icon} name=${icon} />`}
      ${children}
    </button>
  `;
}

/**
 * A label, its control (the only child), what helps to fill it in, and what is wrong with it.
 *
 * @param {{ label: string, hint?: ComponentChildren, error?: string | null, children: ComponentChildren }} props
 */
export function Field({ label, hint, error, children }) {
  const ownId = useId();
  const [control] = toChildArray(children);
  const vnode = /** @type {VNode<Record<string, unknown>>} */ (control);
  const id = /** @type {string} */ (vnode.props.id ?? ownId);
  const hasHint = hint !== undefined && hint !== null && hint !== "";
  const hasError = error !== undefined && error !== null && error !== "";
  const described = [hasHint && `${id}-hint`, hasError && `${id}-error`].filter(Boolean).join(" ");
  return html`
    <div class=${hasError ? "field wrong" : "field"}>
      <label for=${id}>${label}</label>
      ${cloneElement(vnode, {
        id,
        ...(described !== "" && { "aria-describedby": described }),
        ...(hasError && { "aria-invalid": "true" }),
      })}
      ${hasHint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
      ${hasError &&
        html`<p class="wrong-text" id=${`${id}-error`}><${Icon} name="warning" />${error}</p>`}
    </div>
  `;
}

/**
 * @param {{ label: string, checked: boolean, onChange: (checked: boolean) => unknown, disabled?: boolean }} props
 */
export function Switch({ label, checked, onChange, disabled = false }) {
  /** @param {Event} event */
  const change = async (event) => {
    const { checked: now } = /** @type {HTMLInputElement} */ (event.currentTarget);
    try {
      await onChange(now);
    } catch (error) {
      toastError(error);
    }
  };
  return html`
    <label class="switch">
      <input type="checkbox" role="switch" checked=${checked} disabled=${disabled}
        onChange=${change} />
      <span class="track" aria-hidden="true"></span>
      <span>${label}</span>
    </label>
  `;
}

/** @param {{ text: string, label?: string, kind?: "quiet" | "plain" }} props */
export function CopyButton({ text, label, kind = "quiet" }) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async () => {
    await copyText(text);
    setCopied(true);
  };
  return html`
    <${Button} kind=${kind} class="copy" icon=${isCopied ? "check" : "copy"} onClick=${copy}
      aria-label=${label}>
      <span aria-live="polite">${t(isCopied ? "shell.copied" : "shell.copy")}</span>
      </${Button}>
  `;
}

/** @param {string} text */
export async function copyText(text) {
  if (navigator.clipboard !== undefined) return await navigator.clipboard.writeText(text);
  // Browsers offer it to loopback and HTTPS alone: a phone in the same network has the old way.
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** @param {{ text: string, label: string }} props */
export function CodeBlock({ text, label }) {
  return html`
    <div class="code-block">
      <pre tabindex="0" role="region" aria-label=${label}><code>${text}</code></pre>
      <${CopyButton} text=${text} />
    </div>
  `;
}

/**
 * @param {{
 *   tabs: { id: string, label: ComponentChildren }[],
 *   selected: string,
 *   onSelect: (id: string) => void,
 *   label: string,
 * }} props
 */
export function Tabs({ tabs, selected, onSelect, label }) {
  /** @param {KeyboardEvent} event */
  const move = (event) => {
    const at = tabs.findIndex(({ id }) => id === selected);
    const to = {
      ArrowRight: (at + 1) % tabs.length,
      ArrowLeft: (at + tabs.length - 1) % tabs.length,
      Home: 0,
      End: tabs.length - 1,
    }[event.key];
    const next = to === undefined ? undefined : tabs[to];
    if (to === undefined || next === undefined) return;
    event.preventDefault();
    const list = /** @type {HTMLElement} */ (event.currentTarget);
    /** @type {HTMLElement | undefined} */ (list.children[to])?.focus();
    onSelect(next.id);
  };
  return html`
    <div class="tabs" role="tablist" aria-label=${label} onKeyDown=${move}>
      ${tabs.map(({ id, label: words }) =>
        html`
          <button type="button" role="tab" key=${id} aria-selected=${id === selected
            ? "true"
            : "false"}
            tabindex=${id === selected ? 0 : -1} onClick=${() => onSelect(id)}>${words}</button>
        `
      )}
    </div>
  `;
}

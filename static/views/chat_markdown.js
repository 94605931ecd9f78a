// Markdown as elements. What a model wrote can never be more than text, links and code.

import { t } from "../i18n.js";

/** @import { Token } from "marked" */
/**
 * @typedef {object} Markdown
 * @property {(text: string) => Token[]} lex
 * @property {(tokens: Token[]) => DocumentFragment} draw
 * @property {(tokens: Token[]) => DocumentFragment} drawInline
 */

const TAGS = [
  "a",
  "blockquote",
  "br",
  "code",
  "del",
  "em",
  "h3",
  "h4",
  "h5",
  "h6",
  "hr",
  "li",
  "ol",
  "p",
]
  .concat(["pre", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"]);
const ATTRIBUTES = ["href", "title", "start", "align", "class"];

/** @type {Promise<Markdown> | null} */
let loading = null;

/** Fetches what reads and cleans markdown, once. */
export function loadMarkdown() {
  return loading ??= makeMarkdown().catch((error) => {
    loading = null;
    throw error;
  });
}

/** @returns {Promise<Markdown>} */
async function makeMarkdown() {
  const [{ Marked, Lexer, Parser }, { default: purify }] = await Promise.all([
    import("marked"),
    import("dompurify"),
  ]);
  const options = new Marked({
    gfm: true,
    renderer: {
      // Shown as it is written. In tables a break is the one way to a new line.
      html({ text, block }) {
        if (/^<br\s*\/?>\s*$/i.test(text)) return "<br>";
        return block ? `<p>${escaped(text)}</p>\n` : escaped(text);
      },
      // Nothing is fetched for a model: its picture is what it is called and where it would be.
      image({ href, text }) {
        return /^https?:/i.test(href)
          ? `<a href="${escaped(href)}">${escaped(text || href)}</a>`
          : escaped(text || href);
      },
      // The page's own headings stand above them.
      heading({ tokens, depth }) {
        const level = Math.min(depth + 2, 6);
        return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
      },
      checkbox: ({ checked }) => checked ? "☑ " : "☐ ",
      code: ({ text, lang }) =>
        `<pre><code class="${escaped(`language-${wordOf(lang)}`)}">${escaped(text)}</code></pre>\n`,
    },
  }).defaults;
  const cleaner = purify(globalThis.window);
  cleaner.addHook("afterSanitizeAttributes", (node) => {
    if (node.tagName !== "A" || !node.hasAttribute("href")) return;
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer");
  });
  /** @param {string} html */
  const clean = (html) =>
    cleaner.sanitize(html, {
      ALLOWED_TAGS: TAGS,
      ALLOWED_ATTR: ATTRIBUTES,
      ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
      ALLOW_DATA_ATTR: false,
      ALLOW_ARIA_ATTR: false,
      RETURN_DOM_FRAGMENT: true,
    });
  return {
    lex: (text) => Lexer.lex(text, options),
    draw: (tokens) => dressed(clean(Parser.parse(tokens, options))),
    drawInline: (tokens) => clean(Parser.parseInline(tokens, options)),
  };
}

/**
 * Blocks of code get their bar.
 *
 * @param {DocumentFragment} fragment
 */
function dressed(fragment) {
  for (const pre of fragment.querySelectorAll("pre")) {
    const code = pre.querySelector("code");
    const word = /^language-(.+)$/.exec(code?.className ?? "")?.[1] ?? "";
    const { box, code: place } = codeBox(word);
    place.textContent = pre.textContent;
    pre.replaceWith(box);
  }
  // Wide tables scroll by themselves; a keyboard must reach them.
  for (const table of fragment.querySelectorAll("table")) {
    const frame = document.createElement("div");
    frame.className = "markdown-table";
    frame.tabIndex = 0;
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", t("chat.table"));
    table.replaceWith(frame);
    frame.append(table);
  }
  return fragment;
}

/**
 * @param {string} word The language that the model named.
 */
export function codeBox(word) {
  const box = document.createElement("div");
  box.className = "markdown-code";
  const bar = document.createElement("div");
  bar.className = "markdown-code-bar";
  const name = document.createElement("span");
  name.textContent = word;
  const copy = document.createElement("button");
  copy.type = "button";
  copy.className = "chat-copy-code";
  copy.textContent = t("chat.copy");
  bar.append(name, copy);
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  pre.setAttribute("role", "group");
  pre.setAttribute(
    "aria-label",
    word === "" ? t("chat.code") : t("chat.codeIn", { language: word }),
  );
  const code = document.createElement("code");
  pre.append(code);
  box.append(bar, pre);
  return { box, code };
}

/** @param {string | undefined} info */
export function wordOf(info) {
  return (/^[\w+#.-]{1,24}/.exec((info ?? "").trim()) ?? [""])[0];
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

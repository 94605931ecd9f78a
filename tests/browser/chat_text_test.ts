import { equal, ok } from "node:assert/strict";
import { openPage } from "../support/browser.ts";
import { MARKDOWN } from "../support/page_chat.ts";
import { startServer } from "../support/server_process.ts";
import { HOSTILE } from "../support/xss_payloads.ts";

const DOORS = "28590-28610";

Deno.test("MarkdownFlow draws a text in pieces as it draws it at once", async () => {
  await using server = await startServer({ doors: DOORS });
  await using opened = await openPage({ server, path: "#/chat/hello" });
  for (const text of [MARKDOWN, HOSTILE, FENCES, LISTS]) {
    const { whole, others } = await opened.page.evaluate<{ whole: string; others: string[] }>(
      `(${DRAW_IN_PIECES})(${JSON.stringify(text)})`,
    );
    ok(whole.length > 100);
    for (const other of others) equal(other, whole);
  }
});

const FENCES =
  "Text before\n```js\nlet a = `b`;\n``\n  ```` not the end\n```\nand after\n\n~~~\n```\n~~~\n\n" +
  "    indented code\n\n```\nnever closed\n``";
const LISTS =
  "- one\n- two\n  - inner\n\n  with a paragraph\n\n1. first\n2. second\n\n> quoted\n> more\n\nSetext\n===\n\n" +
  "***\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nlast *words*, **of** it all";

/** The same text, cut at places that differ each time but not from run to run. */
const DRAW_IN_PIECES = `async (text) => {
  const { $views_chat_markdown: { loadMarkdown }, $views_chat_flow: { MarkdownFlow } } =
    await import("/static/views.js");
  const markdown = await loadMarkdown();
  function drawn(most) {
    const root = document.createElement("div");
    const flow = new MarkdownFlow(markdown, root);
    let seed = most;
    for (let at = 0; at < text.length;) {
      seed = (seed * 16807) % 2147483647;
      const length = most === 0 ? text.length : 1 + seed % most;
      flow.append(text.slice(at, at + length));
      flow.draw();
      at += length;
    }
    flow.draw({ isLast: true });
    // Line breaks between blocks are nothing that is seen.
    return root.firstElementChild.innerHTML.replace(/(?<=>)\\n+|\\n+(?=<)/g, "");
  }
  const others = [1, 2, 3, 5, 8, 13, 21, 34].map(drawn);
  return { whole: drawn(0), others };
}`;

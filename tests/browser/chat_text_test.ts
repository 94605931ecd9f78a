import { deepEqual, equal, ok } from "node:assert/strict";
import { join } from "node:path";
import { writeTestModel } from "../../src/models/hello_model.ts";
import { openPage } from "../support/browser.ts";
import { answersOf, MARKDOWN, say } from "../support/page_chat.ts";
import { startServer } from "../support/server_process.ts";

const DOORS = "28590-28610";

/** Each would set `hacked`, or fetch something. */
const HOSTILE = "Look <script>hacked = 1</script> here <img src=x onerror=hacked=2> and " +
  "[click me](javascript:hacked=3) and [this](data:text/html;base64,PHNjcmlwdD4=) and " +
  "![picture](https://tracker.example/pixel.png) and <svg onload=hacked=4></svg> and " +
  "<iframe src=javascript:hacked=5></iframe> and <a href=x onclick=hacked=6>me</a>\n\n" +
  "```<img/src/onerror=hacked=7>\n</code></pre><img src=x onerror=hacked=8>\n```\n\n" +
  "<style>body{display:none}</style>\n\n<form action=https://tracker.example><input></form> the end";

Deno.test("ChatView() lets no model run or fetch anything", async () => {
  await using server = await startServer({
    doors: DOORS,
    prepare: (home) =>
      writeTestModel(join(home, "hostile <img src=x onerror=hacked=9>.gguf"), {
        sentence: HOSTILE,
      }),
  });
  const name = "hostile <img src=x onerror=hacked=9>";
  await using opened = await openPage({ server, path: `#/chat/${encodeURIComponent(name)}` });
  const { page } = opened;
  await say(opened, "hi <b onclick=hacked=10>there</b>");
  const answer = answersOf(opened);
  await answer.getByText("the end").waitFor();
  await answer.getByText(/tokens$/).first().waitFor();
  const text = await answer.innerText();
  for (
    const each of ["<script>hacked = 1</script>", "<img src=x onerror=hacked=2>", "<svg onload"]
  ) {
    ok(text.includes(each), `It is shown as it is written: ${each}`);
  }
  const found = await answer.locator(".markdown").evaluate((root: {
    querySelectorAll(
      selector: string,
    ): ArrayLike<{ tagName: string; attributes: ArrayLike<{ name: string; value: string }> }>;
  }) =>
    Array.from(root.querySelectorAll("*")).map(({ tagName, attributes }) => [
      tagName,
      ...Array.from(attributes).map(({ name, value }) => `${name}=${value}`),
    ])
  );
  const tags = new Set(found.map(([tag]) => tag));
  for (const tag of ["SCRIPT", "IMG", "SVG", "IFRAME", "STYLE", "FORM", "INPUT"]) {
    ok(!tags.has(tag), `${tag} became an element`);
  }
  const attributes = found.flatMap(([, ...each]) => each!);
  deepEqual(attributes.filter((each) => /^on|javascript:|^href=data:|^style/i.test(each)), []);
  await page.goto(`${server.url}/#/models`);
  await page.locator(".model-card", { hasText: "hostile" }).waitFor();
  equal(await page.evaluate("globalThis.hacked ?? null"), null);
  ok(opened.requests.every((request) => !request.url().includes("tracker")));
});

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

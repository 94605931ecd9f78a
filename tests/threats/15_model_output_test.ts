// A model that writes what a browser might run: as it comes, and as it is opened again from the talks.

import { deepEqual, equal, ok } from "node:assert/strict";
import { join } from "node:path";
import { writeTestModel } from "../../src/models/hello_model.ts";
import { type OpenPage, openPage } from "../support/browser.ts";
import { answersOf, say } from "../support/page_chat.ts";
import { startServer } from "../support/server_process.ts";
import { writeStandIn } from "../support/stand_in.ts";
import { tempDir } from "../support/temp_dir.ts";
import { DANGERS_IN, HOSTILE, XSS_PAYLOADS } from "../support/xss_payloads.ts";
import { threatName } from "./rows.ts";

const DOORS = "29216-29220";
const IN_ONE_ANSWER = 12;

Deno.test(
  threatName(
    15,
    "200 payloads in a talk run nothing and fetch nothing, now and when it is opened again",
  ),
  async () => {
    ok(XSS_PAYLOADS.length >= 200, `${XSS_PAYLOADS.length}`);
    await using dir = await tempDir();
    // Those that are never closed are the last of them, and would hide only each other.
    const rows = Math.ceil(XSS_PAYLOADS.length / IN_ONE_ANSWER);
    const answers = Array.from(
      { length: rows },
      (_, row) =>
        [...XSS_PAYLOADS.filter((_, at) => at % rows === row), `the end of ${row}`].join("\n\n"),
    );
    await Deno.writeTextFile(join(dir.path, "answers.json"), JSON.stringify(answers));
    const path = join(dir.path, "llama-server");
    await writeStandIn(path, {
      program: "./scripted_instance.ts",
      args: [join(dir.path, "answers.json")],
    });
    await using server = await startServer({ doors: DOORS, flags: ["--llama-server", path] });
    await using opened = await openPage({ server, path: "#/chat/hello" });
    const { page } = opened;
    const tried = await watched(opened);
    for (const row of answers.keys()) {
      await say(opened, `payloads ${row}`);
      await answersOf(opened).nth(row).getByRole("button", { name: "Copy the answer" }).waitFor();
      await answersOf(opened).nth(row).locator(".chat-reasoning summary").click();
    }
    await assertHarmless(opened, { answers: rows, tried });
    // The end is there unless a payload is open still; most of what was written is to be seen as text.
    const shown = await page.locator(".chat-message.assistant .markdown").allInnerTexts();
    const text = shown.join("\n");
    ok(text.includes("<img src=x onerror=hacked=1>") && text.includes("<svg onload=hacked=1>"));
    await page.reload();
    await page.getByRole("complementary", { name: "Talks" }).getByText("payloads 0").click();
    const again = await watched(opened);
    await answersOf(opened).nth(rows - 1).waitFor();
    await assertHarmless(opened, { answers: rows, tried: again });
  },
);

Deno.test(
  threatName(15, "each payload by itself becomes harmless elements, at once and in pieces"),
  async () => {
    await using server = await startServer({ doors: DOORS });
    await using opened = await openPage({ server, path: "#/chat/hello" });
    const tried = await watched(opened);
    const found = await opened.page.evaluate<string[][]>(
      `(${DRAW_EACH})(${JSON.stringify(XSS_PAYLOADS)}, ${DANGERS_IN})`,
    );
    deepEqual(found, []);
    deepEqual(await tried(), []);
    equal(await opened.page.evaluate("globalThis.hacked ?? null"), null);
    // What is looked for would be found.
    const raw = await opened.page.evaluate<string[]>(`(() => {
    const root = document.implementation.createHTMLDocument("").body;
    root.innerHTML = ${JSON.stringify("<video></video><a href='javascript:1'>x</a><p id=x>")};
    return (${DANGERS_IN})(root);
  })()`);
    ok(raw.length >= 3, raw.join());
  },
);

Deno.test(threatName(15, "a model's own words and its name run nothing in any view"), async () => {
  const name = "hostile <img src=x onerror=hacked=9>";
  await using server = await startServer({
    doors: DOORS,
    prepare: (home) => writeTestModel(join(home, `${name}.gguf`), { sentence: HOSTILE }),
  });
  await using opened = await openPage({ server, path: `#/chat/${encodeURIComponent(name)}` });
  const { page } = opened;
  const tried = await watched(opened);
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
  await assertHarmless(opened, { answers: 1, tried });
  for (const view of ["models", "home", "logs"]) {
    await page.goto(`${server.url}/#/${view}`);
    await page.getByText("hostile <img").first().waitFor({ state: "attached" });
  }
  equal(await page.evaluate("globalThis.hacked ?? null"), null);
});

/** From now on: what the page's policy had to stop, and windows that opened. */
async function watched(opened: OpenPage): Promise<() => Promise<string[]>> {
  const windows: string[] = [];
  opened.context.on("page", (page) => windows.push(page.url()));
  opened.page.on("dialog", (dialog) => {
    windows.push(dialog.message());
    void dialog.dismiss();
  });
  await opened.page.evaluate(`
    globalThis.stopped = [];
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      stopped.push(violatedDirective + " " + blockedURI));
  `);
  return async () => [...windows, ...await opened.page.evaluate<string[]>("globalThis.stopped")];
}

async function assertHarmless(
  opened: OpenPage,
  { answers, tried }: { answers: number; tried: () => Promise<string[]> },
): Promise<void> {
  const { page } = opened;
  equal(await answersOf(opened).count(), answers);
  const found = await page.evaluate<string[]>(
    `[...document.querySelectorAll(".chat-message.assistant .markdown, .chat-plain")].flatMap(${DANGERS_IN})`,
  );
  deepEqual(found, []);
  // Over everything that can be reached with a pointer or the keyboard without leaving.
  await page.evaluate(
    `document.querySelectorAll(".chat-message.assistant .markdown *").forEach((element) => {
    for (const name of ["mouseover", "pointerenter", "focus", "animationstart", "toggle", "error", "load"]) {
      element.dispatchEvent(new Event(name, { bubbles: false }));
    }
  })`,
  );
  equal(await page.evaluate("globalThis.hacked ?? null"), null);
  deepEqual(await tried(), []);
  opened.assertClean();
  ok(opened.requests.every((request) => !request.url().includes("invalid")));
}

/** Draws each text whole and in pieces, in the page itself; answers what is dangerous in what came out. */
const DRAW_EACH = `async (texts, dangersIn) => {
  const { $views_chat_markdown: { loadMarkdown }, $views_chat_flow: { MarkdownFlow } } =
    await import("/static/views.js");
  const markdown = await loadMarkdown();
  const found = [];
  for (const text of texts) {
    for (const most of [1, 3, 7, text.length]) {
      const root = document.createElement("div");
      document.body.append(root);
      const flow = new MarkdownFlow(markdown, root);
      for (let at = 0; at < text.length; at += most) {
        flow.append(text.slice(at, at + most));
        flow.draw();
        const dangers = dangersIn(root);
        if (dangers.length > 0) found.push([text, ...dangers]);
      }
      flow.draw({ isLast: true });
      const dangers = dangersIn(root);
      if (dangers.length > 0) found.push([text, ...dangers]);
      root.remove();
    }
  }
  return found;
}`;

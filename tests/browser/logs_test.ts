import assert from "node:assert/strict";
import type { RequestRow } from "../../src/api_types.ts";
import { openPage } from "../support/browser.ts";
import { workOf } from "../support/frame_work.ts";
import { unloadedHeavyServer } from "../support/heavy_server.ts";
import { startServer, until } from "../support/server_process.ts";

/** Stands in for a server that says 20,000 lines within a moment, and for who looks at the page. */
const TALKATIVE_SERVER = `
  globalThis.fetch = ((own) => (path, init) => {
    if (path !== "/logs/stream/proxy") return own(path, init);
    const encoder = new TextEncoder();
    let count = 0;
    return Promise.resolve(new Response(new ReadableStream({
      async pull(controller) {
        if (count === 20_000) return new Promise(() => {});
        const lines = Array.from({ length: 100 }, () =>
          "2026-11-25T12:00:00.000Z " + (count % 50 ? "info" : "warn") +
          " part: One of many lines with the number " + count++);
        controller.enqueue(encoder.encode(lines.join("\\n") + "\\n"));
        await new Promise((resolve) => setTimeout(resolve, 1));
      },
    })));
  })(fetch);
  const pane = () => document.querySelector(".log-pane");
  globalThis.filterBy = (words) => {
    const field = document.querySelector("[name=filter]");
    field.value = words;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  globalThis.shows = (count, last) => new Promise((resolve) => {
    (function look() {
      const told = document.querySelector(".log-count").textContent.startsWith(count + " ");
      if (told && (pane().lastChild?.textContent ?? "").includes(last)) resolve();
      else setTimeout(look, 20);
    })();
  });
  globalThis.scrollPane = (top) => {
    pane().scrollTop = Math.min(top, pane().scrollHeight);
  };
  globalThis.paneNow = () => ({
    blocks: pane().children.length,
    isAtEnd: pane().scrollHeight - pane().scrollTop - pane().clientHeight < 24,
  });
`;

Deno.test("The log of the server and of a model come live; they are filtered, paused and taken along", async () => {
  await using server = await startServer();
  await server.post("/admin/models/hello/load", {});
  await using opened = await openPage({ server, path: "#/logs" });
  const { page } = opened;
  const pane = page.getByRole("log");
  // What was said before the page was opened, and what is said now.
  await pane.getByText("Model is ready model=hello").waitFor();
  await server.post("/admin/models/hello/unload", {});
  await pane.getByText("Model is unloaded model=hello").waitFor();

  await page.getByRole("searchbox", { name: "Filter" }).fill("model is READY");
  await page.getByText("1 line shown").waitFor();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Download" }).click(),
  ]);
  assert.match(download.suggestedFilename(), /^zombiecoder-server-[\dT-]+\.txt$/);
  const text = await Deno.readTextFile(await download.path());
  assert.match(text, /^\S+ info \S+: Model is ready model=hello[^\n]*\n$/);

  await page.getByRole("searchbox", { name: "Filter" }).fill("");
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("2 lines shown").waitFor();
  await server.post("/admin/models/hello/load", {});
  await page.getByRole("button", { name: "Go on (1 new line)" }).click();
  await page.getByText("3 lines shown").waitFor();
  assert.equal((await pane.innerText()).match(/Model is ready/g)?.length, 2);

  // A model's own, from its next start on.
  await page.goto(`${server.url}/#/logs/hello`);
  await server.post("/admin/models/hello/unload", {});
  await server.fetch("/admin/models/hello/settings", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ extra_args: ["-lv", "4"] }),
  });
  await server.post("/admin/models/hello/load", {});
  await page.getByRole("log", { name: "Log of hello" }).getByText(/listening|server is/).first()
    .waitFor();
  await opened.screenshot("logs-model");
});

Deno.test("A request is shown while it runs, is cancelled, and keeps its times", async () => {
  await using server = await unloadedHeavyServer();
  const messages = [{ role: "user", content: "hi" }];
  const ask = (model: string) =>
    server.post("/v1/chat/completions", { model, messages, stream: true });
  await (await ask("hello")).text();
  await using opened = await openPage({ server, path: "#/logs" });
  const { page } = opened;
  await page.getByRole("tab", { name: "Requests" }).click();
  const done = page.locator('tr[data-state="done"]');
  assert.match(
    await done.innerText(),
    /hello[^]*POST \/v1\/chat\/completions[^]*\d+ in, \d+ out[^]*\d (ms|sec)/,
  );
  // Drawn as three spans, which are told to who does not see them.
  assert.match(
    await done.locator("svg.spans").getAttribute("aria-label") ?? "",
    /^Waiting .+, reading .+, answering .+$/,
  );

  // One that never ends.
  const endless = ask("heavy").then((response) => response.text()).catch(() => "");
  const running = page.locator('tr[data-state="answering"]');
  await running.waitFor();
  await page.getByRole("combobox", { name: "Show" }).selectOption("running");
  await done.waitFor({ state: "detached" });
  const width = () => running.locator(".request-time .number").innerText();
  const before = await width();
  await until(async () => await width() !== before);
  await opened.screenshot("requests-running");
  await running.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("None of them.").waitFor();
  await endless;
  await page.getByRole("combobox", { name: "Show" }).selectOption("all");
  await page.locator('tr[data-state="cancelled"]').getByText("Cancelled").waitFor();
  const [latest] = await server.json<RequestRow[]>("/admin/requests");
  assert.equal(latest?.state, "cancelled");
});

Deno.test("Ten thousand lines do not hold the page up, and no more than so many are kept", async () => {
  await using server = await startServer();
  await using opened = await openPage({ server, path: "#/logs/hello", ownBrowser: true });
  const { page } = opened;
  await page.getByRole("log", { name: "Log of hello" }).waitFor();
  await page.evaluate(TALKATIVE_SERVER);
  const longest: number[] = [];
  // The best of some: what other tests do beside this one can only add to it.
  do {
    const work = await workOf(opened, async () => {
      await page.evaluate("location.hash = '#/logs'; shows('10,000', 'One of many')");
      await page.evaluate("filterBy('number 19777'); shows('1', '19777')");
      await page.evaluate("filterBy(''); shows('10,000', '19999')");
    });
    longest.push(work.longestMs);
    const pane = await page.evaluate<{ blocks: number; isAtEnd: boolean }>("paneNow()");
    assert.ok(pane.blocks <= 51, `${pane.blocks} blocks of 200 lines`);
    assert.equal(pane.isAtEnd, true);
    // Whoever scrolls up reads there, until they come back to the end.
    const follow = page.getByRole("switch", { name: "Follow" });
    await page.evaluate("scrollPane(0)");
    await until(async () => !await follow.isChecked());
    await page.evaluate("scrollPane(Infinity)");
    await until(() => follow.isChecked());
    await page.evaluate("location.hash = '#/logs/hello'; shows('0', '')");
  } while (longest.length < 5 && longest.at(-1)! > 50);
  assert.ok(longest.at(-1)! <= 50, `The longest tasks took ${longest} ms`);
});

for (const [language, theme] of [["en", "light"], ["bn", "dark"]] as const) {
  Deno.test(`axe finds nothing in logs and requests: ${language}, ${theme}`, async () => {
    await using server = await startServer();
    await server.post("/generate", { model_id: "hello", prompt: "hi", max_tokens: 4 });
    await server.post("/generate", { model_id: "nobody", prompt: "hi" });
    await until(async () => (await server.json<RequestRow[]>("/admin/requests")).length > 0);
    await using opened = await openPage({ server, path: "#/logs", language, theme });
    const { page } = opened;
    await page.getByRole("log").getByText("hello").first().waitFor();
    await opened.axe();
    await opened.screenshot("logs");
    await page.getByRole("tab").nth(1).click();
    await page.locator("table.requests").waitFor();
    await opened.axe();
    await opened.screenshot("requests");
    await page.setViewportSize({ width: 360, height: 740 });
    await opened.axe();
    const width = await page.evaluate<number>("document.querySelector('main').scrollWidth");
    assert.ok(width <= 360, `It is ${width} wide`);
    await opened.screenshot("requests-phone");
    await page.getByRole("tab").nth(0).click();
    await opened.screenshot("logs-phone");
  });
}

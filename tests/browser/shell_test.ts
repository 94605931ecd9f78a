import assert from "node:assert/strict";
import { join } from "node:path";
import type { ModelRow, NewKeyRow } from "../../src/api_types.ts";
import { buildTestModel } from "../../src/models/hello_model.ts";
import { type OpenPage, openPage } from "../support/browser.ts";
import { type ServerProcess, startServer } from "../support/server_process.ts";
import { TempFolder } from "../support/temp_folder.ts";

const PHONE = { width: 360, height: 780 };
const VIEWS = ["get", "models", "chat", "connect", "settings", "logs", "home"];

Deno.test("the page is there at once, from this server alone, and says where it is", async () => {
  await using server = await startServer();
  await using open = await openPage({ server });
  const { page } = open;
  await status(open, "Online").waitFor();
  assert.match(await status(open, "Online").innerText(), new RegExp(`Port ${server.port}`));
  assert.equal(await page.title(), "ZombieCoder Local AI");
  // The best of some: other tests run beside this one, and may do so for a while.
  const times: number[] = [];
  const endMs = performance.now() + 60_000;
  do {
    await page.reload();
    times.push(
      await page.evaluate<number>(`new Promise((resolve) => {
      const look = () => {
        const [mark] = performance.getEntriesByName("interactive");
        if (mark !== undefined && document.querySelector("main h1") !== null) resolve(mark.startTime);
        else requestAnimationFrame(look);
      };
      look();
    })`),
    );
  } while (times.at(-1)! > 500 && performance.now() < endMs);
  assert.ok(times.at(-1)! <= 500, times.map((each) => `${Math.round(each)} ms`).join(", "));
  assert.ok(open.requests.length > 20);
  await open.screenshot("shell");
});

Deno.test("a server that is killed is missed within two seconds, and found again when it is back", async () => {
  await using home = await TempFolder.make();
  // While it is dead, its port is nobody's: one that the system gives to whoever asks for any.
  const flags = ["--port", `${freePort()}`];
  let server: ServerProcess = await startServer({ home: home.path, flags });
  let open: OpenPage | null = null;
  try {
    open = await openPage({ server, expected: [/ERR_CONNECTION_REFUSED/] });
    const { page } = open;
    await status(open, "Online").waitFor();
    await page.evaluate(OBSERVE_STATUS);
    const killedAt = Date.now();
    server.kill("SIGKILL");
    await status(open, "Offline").waitFor();
    await page.getByRole("alert").getByText("The server does not answer").waitFor();
    const seen = await page.evaluate<{ word: string; at: number }[]>("globalThis.seenStatus");
    const offlineMs = seen.find(({ word }) => word === "Offline")!.at - killedAt;
    assert.ok(offlineMs <= 2_000, `${offlineMs} ms`);
    await open.axe();
    await open.screenshot("offline");
    // What was loaded before goes on to be shown.
    await page.getByRole("link", { name: "Logs" }).click();
    await page.getByRole("heading", { level: 1, name: "Logs" }).waitFor();
    const { port } = server;
    await server[Symbol.asyncDispose]();
    server = await startServer({ home: home.path, flags });
    assert.equal(server.port, port);
    await status(open, "Online").waitFor();
    assert.equal(await page.getByText("The server does not answer").count(), 0);
    await page.getByRole("link", { name: "Home" }).click();
    // Data flow again.
    await server.post("/admin/models/hello/load", {});
    await page.getByText(/Ready \(Port \d+\)/).first().waitFor();
  } finally {
    await open?.[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  }
});

/** Each word that the status shows, with the time at which it came. */
const OBSERVE_STATUS = `
  globalThis.seenStatus = [];
  const element = document.querySelector(".status-word");
  new MutationObserver(() => seenStatus.push({ word: element.textContent, at: Date.now() }))
    .observe(element, { characterData: true, childList: true, subtree: true });
`;

Deno.test("language and look are switched in place and kept; every view has its heading", async () => {
  await using server = await startServer();
  await using open = await openPage({ server });
  const { page } = open;
  await page.getByRole("button", { name: "বাংলা" }).click();
  await page.getByRole("heading", { level: 1, name: "হোম" }).waitFor();
  assert.equal(await page.evaluate("document.documentElement.lang"), "bn");
  await page.getByRole("button", { name: "গাঢ় রঙে দেখুন" }).click();
  assert.equal(await page.evaluate("getComputedStyle(document.body).colorScheme"), "dark");
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "হোম" }).waitFor();
  assert.equal(await page.evaluate("document.documentElement.dataset.theme"), "dark");
  await open.axe();
  await page.getByRole("button", { name: "English" }).click();
  await page.getByRole("button", { name: "Switch to light colours" }).click();
  for (const view of VIEWS) {
    await page.locator(`.places a[href="#/${view}"]`).first().click();
    const heading = page.locator(`main .${view} h1`);
    await heading.waitFor();
    // Who hears the page is told where they are.
    await page.locator("h1:focus").waitFor();
    assert.equal(
      await page.locator('[aria-current="page"]').first().getAttribute("href"),
      `#/${view}`,
    );
  }
});

Deno.test("a page that was left holds no connection, and goes on when it is shown again", async () => {
  await using server = await startServer();
  await using open = await openPage({ server });
  const { page } = open;
  await status(open, "Online").waitFor();
  // A browser opens six connections to one address, and keeps so many pages for a step back.
  for (let visit = 1; visit <= 8; visit++) {
    // Where those were held, the next one waited until the browser gave one up, after some 15 s.
    await page.goto(`${server.url}/?visit=${visit}#/models`, { timeout: 10_000 });
    await status(open, "Online").waitFor();
  }
  // What the browser tells a page that it puts away, and one that it takes out again as it was.
  await page.evaluate(`dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }))`);
  await server.post("/admin/models/hello/load", {});
  await page.evaluate(`dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))`);
  await page.getByText(/Ready \(Port \d+\)/).first().waitFor();
});

Deno.test("everything is reached by the keyboard, on a phone as well", async () => {
  await using server = await startServer();
  await using open = await openPage({ server, viewport: PHONE });
  const { page } = open;
  await page.keyboard.press("Tab");
  assert.equal(await focused(open), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate("document.activeElement.id"), "content");
  const more = page.getByRole("button", { name: "More" });
  await more.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Settings" }).waitFor();
  await open.axe();
  await open.screenshot("more");
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "Settings" }).waitFor({ state: "hidden" });
  assert.equal(await focused(open), "More");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Settings" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Settings" }).waitFor();
  // Nothing is wider than the screen, down to the narrowest.
  for (const width of [360, 320]) {
    await page.setViewportSize({ width, height: 640 });
    for (const view of VIEWS) {
      await page.evaluate(`location.hash = "#/${view}"`);
      await page.locator(`main .${view} h1`).waitFor();
      const wide = await page.evaluate("document.documentElement.scrollWidth");
      assert.ok(Number(wide) <= width, `${view}: ${wide} of ${width}`);
    }
  }
});

Deno.test("a server that is locked asks for its key, says what is wrong with one, and opens", async () => {
  await using server = await startServer();
  const owner = await keyOf(server, { name: "owner", scope: "admin" });
  const guest = await keyOf(server, { name: "guest", scope: "use" }, owner);
  await using open = await openPage({ server });
  const { page } = open;
  await page.getByRole("heading", { name: "This server wants a key" }).waitFor();
  await open.axe();
  await open.screenshot("key");
  const enter = async (key: string) => {
    await page.getByLabel("Key", { exact: true }).fill(key);
    await page.keyboard.press("Enter");
  };
  await enter("zc-wrong");
  await page.getByText("The server does not know this key").waitFor();
  await enter(guest);
  await page.getByText("this page needs an admin key").waitFor();
  await open.axe();
  await page.getByLabel("Remember it in this browser").check();
  await enter(owner);
  await page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
  await status(open, "Online").waitFor();
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
  assert.equal(await page.evaluate('localStorage.getItem("zombie.key")'), owner);
});

Deno.test("the name of a model is only ever text, on every view", async () => {
  const hostile = [
    "<img src=x onerror=hacked=1>",
    "${hacked=2}",
    "a' onmouseover='hacked=3",
    'b" autofocus onfocus="hacked=4',
    "‮txt.fgug",
  ];
  await using server = await startServer({
    async prepare(home) {
      for (const [index, name] of hostile.entries()) {
        const bytes = buildTestModel({ name: `model ${index}`, sentence: "I am only a model." });
        await Deno.writeFile(join(home, `${name}.gguf`), bytes);
      }
    },
  });
  const ids = (await server.json<ModelRow[]>("/admin/models") as unknown as ModelRow[]).map((
    { id },
  ) => id);
  assert.ok(ids.includes(hostile[0]!), ids.join(", "));
  await using open = await openPage({ server, path: "#/models" });
  const { page } = open;
  await page.getByText(hostile[0]!).first().waitFor();
  for (const view of VIEWS) {
    await page.evaluate(`location.hash = "#/${view}"`);
    await page.locator(`main .${view} h1`).waitFor();
    for (const id of ids) {
      await page.evaluate(
        `location.hash = ${JSON.stringify(`#/${view}/${encodeURIComponent(id)}`)}`,
      );
    }
    assert.equal(await page.locator("img[src=x]").count(), 0);
  }
  assert.equal(await page.evaluate("typeof hacked"), "undefined");
});

/** Of a few that no other test uses, and that no system gives away by itself. */
function freePort(): number {
  for (let port = 18_730; port < 18_740; port++) {
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error("All ports of this test are in use");
}

function status({ page }: OpenPage, word: string) {
  return page.locator(".server-status", { has: page.locator(".status-word", { hasText: word }) });
}

async function focused({ page }: OpenPage): Promise<string> {
  return await page.evaluate<string>("document.activeElement.textContent.trim()");
}

async function keyOf(
  server: ServerProcess,
  body: { name: string; scope: string },
  key?: string,
): Promise<string> {
  const answer = await server.post("/admin/keys", body, {
    headers: {
      "content-type": "application/json",
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    },
  });
  const made: NewKeyRow = await answer.json();
  return made.key;
}

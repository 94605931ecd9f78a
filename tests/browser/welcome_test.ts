import assert from "node:assert/strict";
import type { CatalogueRow, ModelRow } from "../../src/api_types.ts";
import { buildTestModel, HELLO_SENTENCE } from "../../src/models/hello_model.ts";
import { type Offer, welcomeChoice } from "../../static/views/welcome_choice.js";
import { assertAccessible, LOOKS } from "../support/accessible.ts";
import { type OpenPage, openPage } from "../support/browser.ts";
import { TestHub } from "../support/hub.ts";
import { bytesContent } from "../support/hub_content.ts";
import { knowBandwidth, KNOWN_THREADS } from "../support/known_bandwidth.ts";
import { startServer } from "../support/server_process.ts";

/** Nobody listens there: as without internet. */
const OFFLINE = { HF_ENDPOINT: "http://127.0.0.1:9" };
const SENTENCE = "A downloaded model answers here, word for word.";

Deno.test("First visit to first answer without internet: the computer, no model, hello", async () => {
  await using server = await startServer({ env: OFFLINE });
  await using open = await openPage({ server, welcomed: false });
  const { page } = open;
  await page.getByRole("heading", { name: "This is your computer" }).waitFor();
  assert.match(await page.locator('[data-fact="memory"] strong').innerText(), /^[\d.]+ GB$/);
  assert.match(await page.locator(".welcome-verdict").innerText(), /up to [\d.]+ GB of memory/);
  await next(open, "Next");
  await page.getByRole("heading", { name: "Take this model" }).waitFor();
  await page.locator(".welcome-take").click();
  await page.locator('.error-note, [data-state="waiting"]').first().waitFor();
  await next(open, "Next");
  await page.getByText("This is a tiny test model").waitFor();
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("It works.").waitFor();
  assert.equal((await page.locator("[data-answer]").innerText()).trim(), HELLO_SENTENCE);
  await page.getByRole("button", { name: "Go to the home page" }).click();
  await page.waitForURL("**/#/home");
  await page.goto(server.url);
  await page.getByRole("heading", { name: "Home" }).waitFor();
});

Deno.test("First visit to first answer of the model that suits this computer, downloaded on the way", async () => {
  await using hub = await TestHub.start();
  const env = { HF_ENDPOINT: hub.endpoint, ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost };
  await using server = await startServer({ env, flags: KNOWN_THREADS, prepare: knowBandwidth });
  await using open = await openPage({ server, welcomed: false });
  const { page } = open;
  const catalogue = page.waitForResponse(`${server.url}/admin/catalogue`);
  await next(open, "Next");
  const offer = page.locator(".welcome-offer");
  const { row, file } = rowOf(
    await (await catalogue).json(),
    (await offer.getAttribute("data-model"))!,
  );
  const bytes = buildTestModel({ sentence: SENTENCE, name: "suits" });
  hub.add(row.repo, { files: { [file.file]: bytesContent(bytes) } });
  await offer.getByText("Recommended", { exact: true }).waitFor();
  await offer.locator(".welcome-take").click();
  await offer.getByText("It is on your computer.").waitFor();
  assert.equal((await server.json<ModelRow>(`/admin/models/${file.id}`)).size_bytes, bytes.length);
  await next(open, "Next");
  await page.getByLabel("Your message").fill("Who are you?");
  await page.getByLabel("Your message").press("Enter");
  await page.getByText("It works.").waitFor();
  assert.equal((await page.locator("[data-answer]").innerText()).trim(), SENTENCE);
  await page.getByRole("button", { name: `Talk on with ${file.id}` }).click();
  await page.waitForURL(`**/#/chat/${file.id}`);
});

Deno.test("The first steps can be skipped, and are walked by keyboard with the focus on each step", async () => {
  await using server = await startServer({ env: OFFLINE });
  await using open = await openPage({ server, welcomed: false });
  const { page } = open;
  await page.getByRole("button", { name: "Next" }).press("Enter");
  await page.locator("h2:focus", { hasText: "Take this model" }).waitFor();
  await page.getByRole("button", { name: "Back" }).press("Enter");
  await page.locator("h2:focus", { hasText: "This is your computer" }).waitFor();
  await page.getByRole("button", { name: "Skip the first steps" }).press("Enter");
  await page.waitForURL("**/#/home");
  await page.reload();
  await page.getByRole("heading", { name: "Home" }).waitFor();
});

Deno.test("axe finds nothing on any of the first steps, in both languages and themes, wide and narrow", async () => {
  await using server = await startServer({ env: OFFLINE });
  for (const look of LOOKS) {
    await using open = await openPage({ server, path: "#/welcome", welcomed: false, ...look });
    const { page } = open;
    await page.locator(".welcome-verdict").waitFor();
    await assertAccessible(open, "welcome-computer");
    await page.locator(".welcome-next").click();
    await page.locator(".welcome-offer").waitFor();
    await assertAccessible(open, "welcome-model");
    await page.locator(".welcome-next").click();
    await page.locator(".welcome-ask button").click();
    await page.locator(".welcome-done").waitFor();
    await assertAccessible(open, "welcome-hello");
  }
});

Deno.test("welcomeChoice() takes the best that suits the computer and the language, and one that is much smaller", () => {
  const row = (id: string, megabytes: number, change: Partial<CatalogueRow> = {}) =>
    ({
      id,
      roles: ["chat"],
      languages: ["en"],
      gated: false,
      best: false,
      choice: 0,
      files: [{ file: `${id}.gguf`, size_bytes: megabytes * 1e6 }],
      badge: { level: "recommended" },
      ...change,
    }) as CatalogueRow;
  const chosen = (rows: CatalogueRow[], language = "en") => {
    const { best, smaller } = welcomeChoice(rows, { language });
    return [best?.row.id ?? null, smaller?.row.id ?? null];
  };
  const badge = (level: string) => ({ badge: { level } as CatalogueRow["badge"] });
  const small = row("small", 100, { languages: ["en", "bn"] });
  const best = row("best", 2500, { best: true });
  assert.deepEqual(chosen([]), [null, null]);
  assert.deepEqual(chosen([small, best]), ["best", "small"]);
  assert.deepEqual(chosen([small, best], "bn"), ["small", null]);
  assert.deepEqual(chosen([row("a", 700), row("b", 800)]), ["b", null]);
  assert.deepEqual(chosen([best, row("gated", 100, { gated: true })]), ["best", null]);
  assert.deepEqual(chosen([best, row("eyes", 100, { roles: ["vision"] })]), ["best", null]);
  assert.deepEqual(chosen([best, row("code", 100, { roles: ["code", "chat"] })]), ["best", null]);
  const huge = row("huge", 18000, { best: true });
  assert.deepEqual(chosen([small, row("large", 5000), huge]), ["large", "small"]);
  assert.deepEqual(chosen([huge]), ["huge", null]);
  assert.deepEqual(chosen([row("tiny", 200), row("fair", 900), row("good", 5000)]), [
    "good",
    "fair",
  ]);
  assert.deepEqual(chosen([row("none", 100, { choice: null })]), [null, null]);
  assert.deepEqual(
    chosen([row("c", 500, badge("compatible")), row("d", 400, badge("compatible"))]),
    [
      "d",
      null,
    ],
  );
  assert.deepEqual(chosen([row("no", 500, badge("not_recommended"))]), [null, null]);
});

async function next({ page }: OpenPage, name: string): Promise<void> {
  await page.getByRole("button", { name, exact: true }).click();
}

/** From what the page was told: what it offers depends on what was free when it asked. */
function rowOf(rows: readonly CatalogueRow[], id: string): Offer {
  const row = rows.find((each) => each.id === id)!;
  return { row, file: row.files[row.choice!]! };
}

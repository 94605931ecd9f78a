import assert from "node:assert/strict";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import type { DownloadList, DownloadRow, ModelRow } from "../../src/api_types.ts";
import { buildTestModel } from "../../src/models/hello_model.ts";
import { openPage } from "../support/browser.ts";
import { TestHub } from "../support/hub.ts";
import { bytesContent, ggufContent } from "../support/hub_content.ts";
import { knowBandwidth, KNOWN_THREADS } from "../support/known_bandwidth.ts";
import { put, putHub, putOllama } from "../support/other_programs.ts";
import { layOutLlama, LLAMA_70B } from "../support/remote_models.ts";
import { type ServerProcess, startServer, until } from "../support/server_process.ts";
import { tempDir } from "../support/temp_dir.ts";

const MB = 1_000_000;
const SMALL = buildTestModel({ name: "small", sentence: "Small." });
const SPEAKER = buildTestModel({ name: "speaker", sentence: "From the Hub.", sizeBytes: 12 * MB });
/** 140 GB of weights behind a short header. */
const GIANT = { ...LLAMA_70B, vocabulary: 2_000 };

/** What somebody would write for a name, a licence, a language who wants to run script here. */
const HOSTILE = `<img src=x onerror="globalThis.hacked=1">`;

async function startHub(): Promise<TestHub> {
  const hub = await TestHub.start();
  hub.add("org/speaker-GGUF", {
    downloads: 1_234_567,
    license: "apache-2.0",
    languages: ["en", "bn"],
    gguf: { total: 1_500_000, architecture: "llama", context_length: 2048 },
    files: {
      "speaker-Q8_0.gguf": bytesContent(SPEAKER),
      "speaker-small-Q4_K_M.gguf": bytesContent(SMALL),
      "speaker-giant-F16.gguf": ggufContent(layOutLlama(GIANT, { format: "F16" })[0]!),
    },
  });
  return hub;
}

interface StartOptions {
  /** So many bytes a second are read from this computer's memory. */
  bandwidth?: number;
  env?: Record<string, string>;
}

function startWith(hub: TestHub, options: StartOptions = {}): Promise<ServerProcess> {
  const { bandwidth = 24e9, env } = options;
  return startServer({
    flags: KNOWN_THREADS,
    env: { HF_ENDPOINT: hub.endpoint, ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost, ...env },
    prepare: (home) => knowBandwidth(home, bandwidth),
  });
}

async function downloads(server: ServerProcess): Promise<DownloadRow[]> {
  return (await server.json<DownloadList>("/admin/downloads")).downloads;
}

async function add(server: ServerProcess, file: string): Promise<DownloadRow> {
  const answer = await server.post("/admin/downloads", { repo: "org/speaker-GGUF", file });
  return await answer.json();
}

/**
 * Slow from here on, headers aside: they are known by then. Whatever is looked at while one of them is
 * on its way, it lasts longer; the small one until it is hurried.
 */
async function throttle(hub: TestHub, server: ServerProcess) {
  await server.json("/admin/hub/repos/org/speaker-GGUF");
  let smallSpeed = 1_000;
  hub.fault = ({ host, file }) => {
    if (host !== "cdn") return null;
    return { bytesPerSecond: () => file?.includes("-small-") ? smallSpeed : MB / 20 };
  };
  return { hurrySmall: () => smallSpeed = 10 * MB };
}

function article(page: Page, name: string): Locator {
  return page.getByRole("region", { name: "Downloads" }).getByRole("article", { name });
}

function button(place: Locator | Page, name: string): Locator {
  return place.getByRole("button", { name });
}

const SEARCH = "/admin/hub/search?q=";

const TYPE_SPEAKER = `(async () => {
  const input = document.querySelector("input[type=search]");
  for (const letter of "speaker") {
    input.value += letter;
    input.dispatchEvent(new InputEvent("input", { bubbles: true, data: letter }));
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
})()`;

Deno.test("A model is searched for, downloaded, paused, resumed and run", async () => {
  await using hub = await startHub();
  await using server = await startWith(hub);
  await using opened = await openPage({ server, path: "#/get" });
  const { page } = opened;

  const found = page.getByRole("listitem").filter({ has: button(page, "org/speaker-GGUF") });
  const field = page.getByRole("searchbox");
  const searches = () => opened.requests.filter((each) => each.url().includes(SEARCH)).length;
  let asked = 0;
  // Every letter but the last is too early. It is typed again where this computer was busy with
  // something else in between: the page must take that for somebody who stopped typing.
  for (let attempt = 0; attempt < 5 && asked !== 1; attempt++) {
    await field.fill("");
    await found.waitFor({ state: "detached" });
    const before = searches();
    const last = page.waitForRequest((each) => each.url().endsWith(`${SEARCH}speaker`));
    await page.evaluate(TYPE_SPEAKER);
    await last;
    asked = searches() - before;
  }
  assert.equal(asked, 1);
  await found.getByText("1.2M downloads").waitFor();

  await button(found, "org/speaker-GGUF").click();
  const wanted = found.getByRole("listitem").filter({ hasText: "Q8_0" });
  await wanted.getByText("Recommended").waitFor();
  await wanted.getByText("Best choice here").waitFor();
  await wanted.getByText(/^Needs [\d.]+ [kMG]B of memory, you have [\d.]+ GB free\.$/).waitFor();
  assert.match(
    await wanted.getByRole("meter").getAttribute("aria-label") ?? "",
    /^Speed: fast, [\d,]+ tokens a second$/,
  );
  const giant = found.getByRole("listitem").filter({ hasText: "F16" });
  await giant.getByText("Not recommended").waitFor();
  await giant.getByText(/this computer has .+ for models\. Choose a smaller/).waitFor();

  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: MB / 8 } : null;
  await button(wanted, "Download").click();
  const download = article(page, "speaker-Q8_0");
  await download.getByText("Downloading", { exact: true }).waitFor();
  await download.getByText(/^[\d.]+ [kM]B of 12\.\d MB \(\d+%\)$/).waitFor();
  await download.getByText(/^\d+ kB a second|^[\d.]+ MB a second/).waitFor();
  await download.getByText(/^\d+ (sec|min( \d+ sec)?) left$/).waitFor();
  await opened.screenshot("get-downloading");

  await button(download, "Pause").press("Enter");
  await download.getByText("Paused", { exact: true }).waitFor();
  const [paused] = await downloads(server);
  assert.equal(paused!.state, "paused");
  assert.ok(paused!.bytes_done > 0);
  // Who pressed it has it still.
  assert.match(await page.locator(":focus").innerText(), /^Resume/);

  await page.getByLabel("Speed limit").selectOption({ label: "10.0 MB a second" });
  await until(async () =>
    (await server.json<DownloadList>("/admin/downloads")).bytes_per_second_limit === 10 * MB
  );
  hub.fault = () => null;
  await button(download, "Resume").press("Enter");
  await download.getByText("Downloaded, 12.").waitFor();
  assert.equal(Deno.statSync(join(server.home, "speaker-Q8_0.gguf")).size, SPEAKER.length);
  assert.equal(
    await download.getByRole("link", { name: "Chat" }).getAttribute("href"),
    "#/chat/speaker-Q8_0",
  );
  await button(download, "Run").click();
  await download.getByText(/^Ready \(Port \d+\)$/).waitFor();
  const models = await server.json<ModelRow[]>("/admin/models");
  assert.equal(models.find(({ id }) => id === "speaker-Q8_0")?.state, "ready");
  // The file in the list says so as well.
  await wanted.getByText("On this computer").waitFor();
});

Deno.test("The order of the queue is changed, one is cancelled, and what does not fit is asked about", async () => {
  await using hub = await startHub();
  await using server = await startWith(hub);
  const { hurrySmall } = await throttle(hub, server);
  await add(server, "speaker-Q8_0.gguf");
  const small = await add(server, "speaker-small-Q4_K_M.gguf");
  await using opened = await openPage({ server, path: "#/get" });
  const { page } = opened;
  const second = article(page, "speaker-small-Q4_K_M");
  await second.getByText("number 2 in the queue").waitFor();
  const up = button(page, "Move speaker-small-Q4_K_M up in the queue");
  await up.press("Enter");
  await until(async () => (await downloads(server))[0]?.id === small.id);
  await page.locator(".get-queue > li:first-child").filter({ hasText: "speaker-small" }).waitFor();
  // Who moved it can move it on.
  await up.and(page.locator(":focus")).waitFor();
  hurrySmall();

  const first = article(page, "speaker-Q8_0");
  await until(
    async () =>
      (await downloads(server)).some(({ bytes_done, file }) =>
        file === "speaker-Q8_0.gguf" && bytes_done > 0
      ),
    30_000,
  );
  await first.getByText(/^(?!0 bytes).+ of 12\.\d MB/).waitFor();
  await button(first, "Cancel").click();
  const question = page.getByRole("dialog", { name: "Cancel the download of speaker-Q8_0?" });
  await question.getByText(/here already will be deleted/).waitFor();
  await button(question, "Cancel the download").click();
  await first.waitFor({ state: "detached" });
  await page.getByRole("heading", { name: "Downloads" }).and(page.locator(":focus")).waitFor();
  assert.ok(!(await downloads(server)).some(({ file }) => file === "speaker-Q8_0.gguf"));

  await page.getByRole("searchbox").fill("org/speaker-GGUF");
  const giant = page.getByRole("listitem").filter({ hasText: "F16" }).last();
  await button(giant, "Download").click();
  const doubt = page.getByRole("dialog", { name: /^Download speaker-GGUF F16\?$/ });
  await doubt.getByText(/for models/).waitFor();
  await button(doubt, "Cancel").click();
  assert.ok(!(await downloads(server)).some(({ file }) => file.includes("F16")));
});

Deno.test("The chosen models come best first, and are filtered", async () => {
  await using hub = await startHub();
  await using server = await startWith(hub);
  await using opened = await openPage({ server, path: "#/get" });
  const { page } = opened;
  const cards = page.locator(".get-card");
  await cards.first().waitFor();
  const all = await cards.count();
  await cards.first().getByText("Best for this computer").waitFor();
  const marks = await page.locator(".get-card-head .badge").allInnerTexts();
  const ranks = marks.map((text) =>
    ["Recommended", "Compatible", "Not recommended"].indexOf(text.trim())
  );
  assert.deepEqual(ranks, ranks.toSorted((a, b) => a - b));
  assert.ok(ranks.includes(0) && ranks.includes(2));
  await cards.first().getByText(/^Apache 2\.0, free for any use$|has its own terms$/).waitFor();
  await cards.first().getByRole("meter", { name: /^Speed: (fast|readable|slow), / }).waitFor();

  await page.getByRole("checkbox", { name: "Knows Bengali" }).check();
  await page.getByRole("checkbox", { name: "Fits this computer" }).check();
  await page.getByRole("radio", { name: "Search in texts" }).check();
  await page.getByText(new RegExp(`^\\d+ of ${all} models$`)).waitFor();
  const left = await cards.count();
  assert.ok(left > 0 && left < all);
  for (const card of await cards.all()) {
    await card.getByText("বাংলা").waitFor();
    assert.equal(await card.getByText("Not recommended").count(), 0);
  }
});

Deno.test("Names run no script, and what the Hub refuses is told with what to do", async () => {
  await using hub = await startHub();
  hub.add("org/evil-GGUF", {
    license: HOSTILE,
    languages: [HOSTILE, "en"],
    tags: [HOSTILE],
    files: { "evil-Q8_0.gguf": bytesContent(SMALL) },
  });
  hub.add("org/evil-closed-GGUF", {
    gated: "manual",
    files: { "closed-Q8_0.gguf": bytesContent(SMALL) },
  });
  await using dir = await tempDir();
  const cache = join(dir.path, "hub");
  putHub(cache, "org/other", `${HOSTILE.replaceAll("/", "")}.gguf`, { bytes: SMALL });
  await using server = await startWith(hub, { env: { HF_HUB_CACHE: cache } });
  await using opened = await openPage({ server, path: "#/get" });
  const { page } = opened;

  hub.fault = () => ({ refuse: true });
  await page.getByRole("searchbox").fill("evil");
  const refused = page.getByRole("alert").filter({ hasText: "Cannot reach" });
  await refused.waitFor();
  await page.getByText("Without internet you can still use the models").waitFor();
  hub.fault = () => null;
  await button(refused, "Try again").click();

  await button(page, "org/evil-GGUF").click();
  await page.getByText(`${HOSTILE}, has its own terms`).waitFor();
  await page.getByRole("listitem").filter({ hasText: "Q8_0" }).last().getByText("Recommended")
    .waitFor();
  await button(page, "org/evil-closed-GGUF").click();
  await page.getByText("Ask there for access, and wait for the owner's answer.").waitFor();
  const link = page.getByRole("link", { name: "Open its page on Hugging Face and log in" });
  assert.deepEqual(
    [await link.getAttribute("href"), await link.getAttribute("rel")],
    ["https://huggingface.co/org/evil-closed-GGUF", "noopener noreferrer"],
  );

  await page.getByRole("tab", { name: "On this computer" }).click();
  await page.getByRole("heading", { name: "<img src=x" }).waitFor();
  assert.equal(await page.evaluate(() => Reflect.get(globalThis, "hacked")), undefined);
  assert.equal(await page.locator("img[src=x]").count(), 0);
});

Deno.test("A model of another program is used in place; a folder outside is told with its command", async () => {
  await using hub = await startHub();
  await using dir = await tempDir();
  const ollama = join(dir.path, "ollama");
  putOllama(ollama, "registry.ollama.ai/library/tiny/1b", { model: SMALL });
  const outside = put(join(dir.path, "it's mine", "outside.gguf"), SMALL);
  await using server = await startWith(hub, { env: { OLLAMA_MODELS: ollama } });
  await using opened = await openPage({ server, path: "#/get/import" });
  const { page } = opened;
  const card = page.getByRole("listitem").filter({ hasText: "tiny:1b" });
  await card.getByText("Recommended").waitFor();
  await button(card, "Use it here").click();
  await card.getByRole("link", { name: "Chat" }).waitFor();
  const models = await server.json<ModelRow[]>("/admin/models");
  assert.equal(models.find(({ id }) => id === "tiny-1b")?.source, "import");

  await page.getByLabel("Path of the file").fill(outside);
  await page.getByLabel("Path of the file").press("Enter");
  const command = page.getByRole("region", {
    name: "Command that lets the server read this folder",
  });
  assert.equal(
    await command.innerText(),
    `zombiecoder serve --models-dir '${join(dir.path, "it'\\''s mine")}'`,
  );
});

Deno.test("axe finds nothing on the models to get, in both languages and themes", async () => {
  await using hub = await startHub();
  hub.add("org/coder-closed-GGUF", {
    gated: "auto",
    files: { "closed-Q8_0.gguf": bytesContent(SMALL) },
  });
  await using dir = await tempDir();
  const ollama = join(dir.path, "ollama");
  putOllama(ollama, "registry.ollama.ai/library/tiny/1b", { model: SMALL });
  await using server = await startWith(hub, { env: { OLLAMA_MODELS: ollama } });
  await throttle(hub, server);
  const closed = await server.post("/admin/downloads", {
    repo: "org/coder-closed-GGUF",
    file: "closed-Q8_0.gguf",
  });
  const { id } = await closed.json();
  await until(async () =>
    (await server.json<DownloadRow>(`/admin/downloads/${id}`)).state === "failed"
  );
  await add(server, "speaker-Q8_0.gguf");
  await add(server, "speaker-small-Q4_K_M.gguf");
  await using opened = await openPage({ server, path: "#/get" });
  const { page } = opened;
  // Some cards of ours, and one of the Hub.
  await page.getByRole("searchbox").fill("coder");
  const repo = page.locator(".get-repo-open[aria-expanded=false]");
  for (const language of ["English", "বাংলা"]) {
    await page.getByText(language, { exact: true }).first().click();
    for (const theme of ["light", "dark"]) {
      await page.getByRole("tab").first().click();
      await page.locator(".get-card").first().waitFor();
      await repo.click();
      await page.locator(".get-repo .get-file").first().waitFor();
      await opened.screenshot(`get-models-${language}-${theme}`, { fullPage: true });
      await opened.axe();
      await page.getByRole("tab").nth(1).click();
      await page.locator(".get-import-card").waitFor();
      await opened.screenshot(`get-import-${language}-${theme}`, { fullPage: true });
      await opened.axe();
      await page.locator(".theme-switch").click();
    }
  }
});

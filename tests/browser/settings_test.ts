import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { ModelSettings, SettingRow } from "../../src/api_types.ts";
import { type OpenPage, openPage } from "../support/browser.ts";
import { modelProcesses } from "../support/model_processes.ts";
import { type ServerProcess, startServer, until } from "../support/server_process.ts";

function setting(page: Page, name: string) {
  return page.locator(`[data-setting="${name}"]`);
}

async function openGroup(page: Page, group: string): Promise<void> {
  await page.locator(`details[data-group="${group}"] > summary`).click();
}

async function openAll({ page }: OpenPage): Promise<void> {
  await page.locator("details").first().waitFor();
  await page.locator('[data-group="memory"]').waitFor({ state: "attached" });
  const closed = page.locator("details:not([open]) > summary");
  while (await closed.count() > 0) await closed.first().click();
}

async function write(page: Page, name: string, value: string): Promise<void> {
  const control = setting(page, name).locator("input, textarea");
  await control.fill(value);
  await control.blur();
}

async function saved(page: Page, name: string): Promise<void> {
  await setting(page, name).getByRole("status").getByText("Saved").waitFor();
}

/** The command line of the model's one process, as the system has it. */
async function commandOf(server: ServerProcess): Promise<string[]> {
  return await until(() => modelProcesses(server.home)[0]?.args, 30_000);
}

function after(words: readonly string[], flag: string): string | undefined {
  return words[words.indexOf(flag) + 1];
}

Deno.test("Settings of a model that are changed on the page stand in its process's command line", async () => {
  await using server = await startServer();
  await using opened = await openPage({ server, path: "#/settings/hello" });
  const { page } = opened;
  // It comes open for who comes for one model; the others are closed.
  await setting(page, "model.context").getByRole("textbox").waitFor();
  assert.equal(await setting(page, "model.seed").getByRole("textbox").isVisible(), false);
  await write(page, "model.context", "1024");
  await saved(page, "model.context");
  // As it is written in Bengali.
  await write(page, "model.threads", "৩");
  await saved(page, "model.threads");
  await setting(page, "model.cache_type_k").getByRole("combobox").selectOption("q8_0");
  await saved(page, "model.cache_type_k");
  await openGroup(page, "llama");
  await write(page, "model.extra_args", "--poll 7 -fa on");
  await saved(page, "model.extra_args");
  const preview = page.getByRole("region", { name: "Exact command line" });
  await preview.getByText("--poll").waitFor();
  const told = (await preview.innerText()).replaceAll(" \\\n ", "").split(/\s+/);

  await server.post("/admin/models/hello/load", {});
  const command = await commandOf(server);
  assert.equal(after(command, "-c"), "1024");
  assert.equal(after(command, "-t"), "3");
  assert.equal(after(command, "-ctk"), "q8_0");
  assert.equal(after(command, "-fa"), "on");
  assert.equal(after(command, "--poll"), "7");
  const start = command.indexOf("-m");
  // All but the socket, which is chosen at the load.
  const plain = (words: string[]) => words.filter((word) => !/\.sock$|^'?\//.test(word));
  assert.deepEqual(plain(told.slice(told.indexOf("-m"))), plain(command.slice(start)));

  // A running model is told of, and loaded again on request.
  await write(page, "model.threads", "2");
  await page.getByRole("button", { name: "Load it again now" }).click();
  await until(async () => after(await commandOf(server), "-t") === "2", 30_000);
  await page.getByText("The model is running with its old settings.").waitFor({ state: "hidden" });
  await opened.screenshot("settings-model", { fullPage: true });

  await setting(page, "model.context").getByRole("button", { name: "Reset: Context" }).click();
  await setting(page, "model.context").getByText("Default", { exact: true }).waitFor();
  const kept = await server.json<ModelSettings>("/admin/models/hello/settings");
  assert.equal(kept.context, null);
  assert.equal(kept.threads, 2);
});

Deno.test("A setting of the server is saved, shown with its source, and reset", async () => {
  await using server = await startServer({ env: { ZOMBIE_SWEEP: "3m" } });
  await using opened = await openPage({ server, path: "#/settings" });
  const { page } = opened;
  await page.locator('[data-group="power"]').waitFor();
  assert.equal(await page.locator("details[open]").count(), 0);
  await openGroup(page, "power");
  await write(page, "server.keep_alive", "7m");
  await saved(page, "server.keep_alive");
  const row = async (name: string) =>
    (await server.json<SettingRow[]>("/admin/settings")).find((each) => each.name === name);
  assert.deepEqual([(await row("keep_alive"))?.value, (await row("keep_alive"))?.source], [
    "7m",
    "config.json",
  ]);
  const keepAlive = setting(page, "server.keep_alive");
  await keepAlive.getByText("Saved on this page (config.json)").waitFor();
  await keepAlive.getByRole("button", { name: /^Reset/ }).click();
  await keepAlive.getByText("Default", { exact: true }).waitFor();
  assert.equal((await row("keep_alive"))?.source, "default");

  await write(page, "server.threads", "none");
  const threads = setting(page, "server.threads");
  await threads.getByText("Write a whole number from 1 to 1,024.").waitFor();
  const control = threads.getByRole("textbox", { name: "CPU threads", exact: true });
  assert.equal(await control.getAttribute("aria-invalid"), "true");
  assert.equal(await control.inputValue(), "none");
  assert.equal((await row("threads"))?.value, null);

  // What the environment decides is shown, and cannot be changed here.
  await openGroup(page, "running");
  const sweep = setting(page, "server.sweep");
  await sweep.getByText("Environment ZOMBIE_SWEEP").waitFor();
  assert.equal(await sweep.getByRole("textbox").isDisabled(), true);
  assert.equal(await sweep.getByRole("textbox").inputValue(), "3m");
});

Deno.test("A refused argument is told at its field, in the user's language", async () => {
  await using server = await startServer();
  await using opened = await openPage({ server, path: "#/settings/hello", language: "bn" });
  const { page } = opened;
  await page.locator('[data-group="llama"]').waitFor();
  await openGroup(page, "llama");
  const field = setting(page, "model.extra_args");
  for (
    const [value, told] of [
      ["--agent", "“--agent” এখানে দেওয়া যায় এমন নির্দেশ নয়।"],
      ["--poll 500", "“--poll” নেয় ০ থেকে ১০০ পর্যন্ত পূর্ণ সংখ্যা। “500” নয়।"],
      ["-fa maybe", "“-fa” নেয় এর একটি: on, off, auto। “maybe” নয়।"],
      ["--temp", "“--temp”-এর পরে একটি মান দরকার।"],
    ] as const
  ) {
    await write(page, "model.extra_args", value);
    await field.getByText(told).waitFor();
  }
  assert.deepEqual(
    (await server.json<ModelSettings>("/admin/models/hello/settings")).extra_args,
    [],
  );
  await opened.axe();
  await opened.screenshot("settings-refused", { fullPage: true });
});

Deno.test("A key is made, shown once, used by the page, and revoked", async () => {
  await using server = await startServer();
  await using opened = await openPage({ server, path: "#/settings" });
  const { page } = opened;
  await page.locator('[data-group="keys"]').waitFor();
  await openGroup(page, "keys");
  const make = page.getByRole("button", { name: "Make a key" });
  await make.click();
  await page.getByText("Write a name in one line.").waitFor();
  // The first one must open everything, or nobody could make another.
  assert.equal(await page.locator('[name="key_scope"]').isDisabled(), true);
  await page.locator('[name="key_name"]').fill("laptop");
  await page.locator('[name="key_name"]').press("Enter");
  const dialog = page.getByRole("dialog");
  const secret = await dialog.locator(".made-key code").innerText();
  assert.match(secret, /^zc_[\w-]{43}$/);
  await opened.axe();
  await opened.screenshot("settings-key");
  await dialog.getByRole("button", { name: "Done" }).click();
  await dialog.waitFor({ state: "hidden" });
  assert.equal((await server.fetch("/admin/keys")).status, 401);
  const withKey = { headers: { authorization: `Bearer ${secret}` } };
  assert.equal((await server.fetch("/admin/keys", withKey)).status, 200);

  // The page goes on with it; its next key may be for answers alone.
  await page.locator('[name="key_scope"]').selectOption("use");
  await page.locator('[name="key_name"]').fill("phone");
  await make.click();
  await dialog.getByRole("button", { name: "Done" }).click();
  assert.equal(await page.getByText(secret).count(), 0);
  for (const name of ["phone", "laptop"]) {
    await page.getByRole("button", { name: `Revoke ${name}` }).click();
    await dialog.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("row", { name }).waitFor({ state: "detached" });
  }
  assert.equal((await server.fetch("/admin/keys")).status, 200);
});

Deno.test("The settings say who can reach the server, and choose language and look", async () => {
  await using server = await startServer();
  await using opened = await openPage({ server, path: "#/settings" });
  const { page } = opened;
  await page.getByText("Who can reach this server").click();
  await page.getByText("No other device: the network is closed").waitFor();
  await page.getByText("zombiecoder serve --host 0.0.0.0 --api-key-file KEYFILE").waitFor();
  const address = page.getByRole("row", { name: "Addresses" });
  assert.match(await address.innerText(), /127\.0\.0\.1[^]*--host/);
  await page.getByRole("radio", { name: "Dark" }).check();
  assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
  await page.getByRole("button", { name: "Reset: Look" }).click();
  assert.equal(await page.getByRole("radio", { name: "Automatic" }).isChecked(), true);
  await page.getByRole("radio", { name: "বাংলা" }).check();
  await page.getByRole("heading", { name: "সেটিংস" }).waitFor();
  await page.getByRole("button", { name: "আগের মতো করুন: ভাষা" }).click();
  await page.getByRole("heading", { name: "Settings" }).waitFor();
});

for (const [language, theme] of [["en", "light"], ["bn", "dark"]] as const) {
  Deno.test(`axe finds nothing in the settings, all open: ${language}, ${theme}`, async () => {
    await using server = await startServer();
    await using opened = await openPage({ server, path: "#/settings/hello", language, theme });
    await openAll(opened);
    await opened.axe();
    await opened.screenshot("settings-open", { fullPage: true });
    await opened.page.setViewportSize({ width: 360, height: 740 });
    await opened.axe();
    const width = await opened.page.evaluate<number>(
      "document.querySelector('main').scrollWidth",
    );
    assert.ok(width <= 360, `It is ${width} wide`);
    await opened.screenshot("settings-phone", { fullPage: true });
  });
}

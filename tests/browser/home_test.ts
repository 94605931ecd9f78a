import assert from "node:assert/strict";
import type { ModelRow } from "../../src/api_types.ts";
import { nextStep } from "../../static/views/home_next_step.js";
import { assertAccessible, LOOKS } from "../support/accessible.ts";
import { type OpenPage, openPage } from "../support/browser.ts";
import { type ServerProcess, startServer, until } from "../support/server_process.ts";

type State = Parameters<typeof nextStep>[0];

Deno.test("Home shows this computer, what its models take, what runs and until when", async () => {
  await using server = await startServer();
  await using open = await openPage({ server });
  const { page } = open;
  await page.getByRole("heading", { name: "My system" }).waitFor();
  assert.match(await textOf(open, '[data-measure="memory"]'), /[\d.]+ GB \/ [\d.]+ GB \(\d+%\)/);
  await page.locator('[data-measure="cpu"] .home-value', { hasText: /^\d+%$/ }).waitFor();
  await page.locator('[data-measure="memory"] .sparkline').waitFor();
  assert.match(await textOf(open, '[data-measure="disk"]'), /[\d.]+ [GT]B free/);
  assert.equal(await page.locator('[data-measure^="vram"]').count() > 0, true);
  assert.equal(await textOf(open, ".home-online"), `Online, port ${server.port}`);
  await page.getByText("All models are asleep").waitFor();
  assert.match(await textOf(open, ".home-models-memory .home-value"), /^0 .*\(0%\)$/);

  await server.post("/admin/models/hello/load", { keep_alive: "20m" });
  const running = page.locator(".home-running-row", { hasText: "hello" });
  await running.getByText(/Goes to sleep in (20 min|19 min \d+ sec)/).waitFor();
  assert.match(await running.innerText(), /Ready \(Port 28\d\d\d\)/);
  const { memory_bytes: bytes } = await server.json<ModelRow>("/admin/models/hello");
  assert.ok(bytes! > 0);
  await page.locator(".home-legend", { hasText: "hello" }).waitFor();
  assert.match(
    await textOf(open, ".home-models-memory .home-value"),
    /^[1-9][\d.]* MB \/ [\d.]+ GB \((under )?[1-9]\d?%\)$/,
  );
  assert.equal(await page.locator(".home-models-memory .meter rect.tone-1").count(), 1);

  await running.getByRole("button", { name: "Stop hello" }).click();
  await page.getByText("All models are asleep").waitFor();
  assert.equal((await server.json<ModelRow>("/admin/models/hello")).state, "stopped");
});

Deno.test("Home leads on: to a first model where there is none, else to a talk with it", async () => {
  await using server = await startServer();
  await using open = await openPage({ server });
  const { page } = open;
  await page.getByRole("heading", { name: "Get your first model" }).waitFor();
  await copyHello(server);
  await page.getByRole("heading", { name: "Talk to mine" }).waitFor();
  await page.getByRole("link", { name: "Start a chat" }).click();
  await page.waitForURL("**/#/chat/mine");
});

Deno.test("axe finds nothing on Home, in both languages and themes, wide and narrow", async () => {
  await using server = await startServer();
  await server.post("/admin/models/hello/load", { keep_alive: "20m" });
  for (const look of LOOKS) {
    await using open = await openPage({ server, ...look });
    await open.page.locator(".home-legend").waitFor();
    await open.page.locator(".home-measure .sparkline path").first().waitFor();
    await assertAccessible(open, "home");
  }
});

Deno.test("nextStep() names the one thing that matters now", () => {
  const nothing: State = { system: null, chatModels: [], downloads: [] };
  assert.deepEqual(nextStep(nothing), { kind: "get_a_model" });
  const runtime = (phase: string) => ({ runtime: { phase, error: null, progress: 0.4 } });
  const at = (change: Record<string, unknown>) => nextStep({ ...nothing, ...change } as State);
  assert.deepEqual(at({ system: runtime("failed") }), { kind: "no_engine", error: null });
  assert.deepEqual(at({ system: runtime("installing") }), {
    kind: "engine_on_its_way",
    progress: 0.4,
  });
  const own = { id: "own", builtin: false, state: "stopped" };
  const ready = { id: "ready", builtin: false, state: "ready" };
  const hello = { id: "hello", builtin: true, state: "ready" };
  const broken = { id: "broken", builtin: false, state: "failed" };
  assert.deepEqual(at({ chatModels: [hello] }), { kind: "get_a_model" });
  assert.deepEqual(at({ chatModels: [broken, own, hello] }), { kind: "talk", model: own });
  assert.deepEqual(at({ chatModels: [own, ready] }), { kind: "talk", model: ready });
  const coming = { id: "1", state: "downloading" };
  const stuck = { id: "2", state: "failed" };
  assert.deepEqual(at({ downloads: [coming] }), { kind: "model_on_its_way", download: coming });
  assert.deepEqual(at({ downloads: [coming, stuck] }), {
    kind: "download_stuck",
    download: stuck,
  });
  assert.deepEqual(at({ downloads: [coming], chatModels: [own] }), { kind: "talk", model: own });
  assert.deepEqual(at({ downloads: [{ ...coming, state: "done" }] }), { kind: "get_a_model" });
});

async function textOf({ page }: OpenPage, selector: string): Promise<string> {
  return (await page.locator(selector).first().innerText()).trim();
}

/** A model of the user's own. */
async function copyHello(server: ServerProcess): Promise<void> {
  const answer = await server.post("/api/copy", { source: "hello", destination: "mine" });
  assert.equal(answer.status, 200, await answer.text());
  await until(async () =>
    (await server.json<ModelRow[]>("/admin/models")).some(({ id }) => id === "mine")
  );
}

// The engine's card in the settings: use another build, switch back, remove, install one for a GPU.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import type { Page } from "playwright-core";
import type { AvailableRuntime, RuntimeList, SystemInfo } from "../../src/api_types.ts";
import { PINNED_TAG } from "../../src/host/install_github.ts";
import { type OpenPage, openPage } from "../support/browser.ts";
import { testRuntime } from "../support/llama_server.ts";
import { copyRealBuild } from "../support/real_build.ts";
import { ReleaseApi } from "../support/release_api.ts";
import { type ServerProcess, startServer, until } from "../support/server_process.ts";

const BUILD = "llama-b11669-copy";

/** One build in the runtime home, another on PATH: both are real. */
async function serverWithTwo(): Promise<ServerProcess> {
  const real = dirname(await testRuntime());
  return await startServer({
    llamaServer: null,
    env: { PATH: `${real}:/usr/bin:/bin` },
    prepare: (home) => copyRealBuild(join(dirname(home), "runtime", BUILD)),
  });
}

async function openEngine(page: Page): Promise<void> {
  await page.locator('details[data-group="engine"] > summary').click();
}

function row(page: Page, name: string) {
  return page.locator('[data-group="engine"] .setting').filter({
    has: page.locator("strong", { hasText: name }),
  });
}

Deno.test("Another engine is used, switched back and removed on the page", async () => {
  await using server = await serverWithTwo();
  const source = async () => (await server.json<SystemInfo>("/admin/system")).runtime.source;
  await until(async () => await source() === "installed");
  await using opened = await openPage({ server, path: "#/settings" });
  const { page } = opened;
  await openEngine(page);
  const own = row(page, BUILD);
  const other = row(page, "The one of this computer");
  await own.getByText("In use").waitFor();
  // What is in use cannot be taken away.
  assert.equal(await own.getByRole("button").count(), 0);
  const asked = await server.post("/generate", { model_id: "hello", prompt: "hi" });
  assert.equal(asked.status, 200, await asked.text());
  await server.post("/admin/models/hello/unload", {});
  const { cage } = await server.json<SystemInfo>("/admin/system");
  const words = cage.active === "bubblewrap"
    ? /^Protection: Each model runs in a cage of its own \(bubblewrap\)\./
    : /^Protection: (?:Each model|The cage|No cage) /;
  await page.getByText(words).waitFor();
  if (cage.mode !== "off" && cage.reason !== null) await page.getByText(cage.reason).waitFor();
  await opened.axe();
  await opened.screenshot("settings-engine", { fullPage: true });

  await other.getByRole("button", { name: "Use The one of this computer" }).click();
  await other.getByText("In use").waitFor();
  assert.equal(await source(), "path");
  await own.getByRole("button", { name: `Use ${BUILD}` }).click();
  await own.getByText("In use").waitFor();
  assert.equal(await source(), "installed");
  await other.getByRole("button", { name: "Use The one of this computer" }).click();
  await other.getByText("In use").waitFor();

  await own.getByRole("button", { name: `Remove ${BUILD}` }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "hidden" });
  await own.getByRole("button", { name: `Remove ${BUILD}` }).click();
  await dialog.getByRole("button", { name: `Remove ${BUILD}` }).click();
  await own.waitFor({ state: "detached" });
  const { installed } = await server.json<RuntimeList>("/admin/runtimes");
  assert.deepEqual(installed.map(({ name }) => name), ["path"]);
});

Deno.test("An engine that cannot be used says why, and none can be chosen over the start's flag", async () => {
  await using server = await startServer({
    async prepare(home) {
      const folder = join(dirname(home), "runtime", "llama-b1-broken");
      await Deno.mkdir(folder, { recursive: true });
      await Deno.writeTextFile(join(folder, "llama-server"), "program");
      const record = {
        ...{ schema: 1, source: "github", name: "llama-b1-broken", build: 11118, version: "x" },
        ...{ verified: "unverified", archives: [], serverSha256: "0".repeat(64) },
        ...{ files: { "llama-server": 7 }, installedAt: "2026-11-20T00:00:00Z" },
      };
      await Deno.writeTextFile(join(folder, "runtime.json"), JSON.stringify(record));
    },
  });
  for (const language of ["en", "bn"] as const) {
    await using opened = await openPage({ server, path: "#/settings", language });
    const { page } = opened;
    await openEngine(page);
    const broken = row(page, "llama-b1-broken");
    await broken.getByText(
      language === "en"
        ? /"llama-server" is not as it was installed/
        : "এই ইঞ্জিন এখানে চলে না, অথবা নিরাপদ নয় এমন পুরোনো। অন্য একটি ব্যবহার করুন।",
    ).waitFor();
    const buttons = await broken.getByRole("button").allInnerTexts();
    assert.deepEqual(buttons.map((each) => each.trim()), [
      language === "en" ? "Remove llama-b1-broken" : "সরান: llama-b1-broken",
    ]);
    await page.locator('[data-group="engine"] > .muted').getByText("--llama-server").waitFor();
    await opened.axe();
  }
});

/** What a server on a computer with NVIDIA's GPU answers: there is none where the tests run. */
class GpuComputer {
  readonly posted: unknown[] = [];
  list: RuntimeList = {
    installed: [{
      name: "llama-b11118-ubuntu-x64",
      source: "installed",
      build: 11118,
      version: "11118",
      verified: "pinned",
      devices: [],
      size_bytes: 50_000_000,
      installed_at: "2026-11-20T00:00:00Z",
      active: true,
      refusal: null,
      removable: false,
    }],
    available: [
      offer("cpu", { installed: "llama-b11118-ubuntu-x64" }),
      offer("vulkan", { verified: "pinned" }),
      offer("cuda-12", { recommended: true }),
      offer("cuda-13", {
        offered: false,
        code: "driver_too_old",
        values: { driver: "550.54", needed: "580.00" },
      }),
    ],
    chosen: null,
    flag: null,
    job: null,
  };

  async open(server: ServerProcess, language: "en" | "bn"): Promise<OpenPage> {
    const opened = await openPage({ server, path: "#/", language });
    await opened.page.route("**/admin/runtimes", async (route) => {
      const request = route.request();
      if (request.method() === "POST") {
        const body = request.postDataJSON();
        this.posted.push(body);
        this.list.job = {
          ...{ variant: body.variant, activity: "Downloading", progress: 0.3, name: null },
          ...{ state: body.action === "cancel" ? "cancelled" : "installing", error: null },
        };
      }
      await route.fulfill({ json: this.list });
    });
    await opened.page.evaluate("location.hash = '#/settings'");
    await openEngine(opened.page);
    return opened;
  }
}

function offer(variant: string, more: Partial<AvailableRuntime>): AvailableRuntime {
  return {
    ...{ variant, size_bytes: 31_000_000, verified: "unverified", offered: true },
    ...{ recommended: false, code: "gpu_fits", values: {}, reason: "There is a GPU" },
    ...{ installed: null, ...more },
  };
}

Deno.test("An engine for graphics cards is installed on request, with how far it is and why not", async () => {
  await using server = await startServer();
  const computer = new GpuComputer();
  await using opened = await computer.open(server, "en");
  const { page } = opened;
  await row(page, "For NVIDIA (CUDA 13)").getByText(
    "NVIDIA's driver 550.54 is too old. Update it to 580.00 or later.",
  ).waitFor();
  assert.equal(await row(page, "For the processor").count(), 0);
  await row(page, "For NVIDIA (CUDA 12)").getByText("Recommended").waitFor();
  await row(page, "For NVIDIA (CUDA 12)").getByText("Unverified").waitFor();
  await opened.axe();
  await opened.screenshot("settings-engine-gpu", { fullPage: true });

  // What nobody vouches for is asked about first.
  const install = (name: string) => page.getByRole("button", { name: `Install: ${name}` });
  await install("For NVIDIA (CUDA 12)").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(/only the server that sends it vouches for it/).waitFor();
  await opened.axe();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "hidden" });
  assert.deepEqual(computer.posted, []);

  await install("For graphics cards (Vulkan)").click();
  const bar = page.getByRole("progressbar", {
    name: "Being installed: For graphics cards (Vulkan)",
  });
  await bar.waitFor();
  assert.equal(await bar.getAttribute("aria-valuenow"), "30");
  assert.equal(await install("For NVIDIA (CUDA 12)").isDisabled(), true);
  await opened.axe();
  await opened.screenshot("settings-engine-installing", { fullPage: true });
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("Cancelled: For graphics cards (Vulkan). Everything is as it was.")
    .waitFor();
  await bar.waitFor({ state: "detached" });
  await opened.axe();
  await install("For graphics cards (Vulkan)").click();
  await bar.waitFor();
  computer.list.job = {
    ...{ variant: "vulkan", state: "failed", activity: null, progress: null, name: null },
    error: {
      message: 'Cannot install "vulkan": it sees no GPU',
      code: "runtime_missing",
      values: {},
    },
  };
  await page.getByText('Cannot install "vulkan": it sees no GPU.').waitFor();
  await install("For NVIDIA (CUDA 12)").click();
  await dialog.getByRole("button", { name: "Install: For NVIDIA (CUDA 12)" }).click();
  await until(() => computer.posted.length === 4);
  assert.deepEqual(computer.posted, [
    { action: "install", variant: "vulkan" },
    { action: "cancel", variant: "vulkan" },
    { action: "install", variant: "vulkan" },
    { action: "install", variant: "cuda-12", unverified: true },
  ]);
});

Deno.test("What the first start installs is cancelled on the page, told at home, and begun again", async () => {
  await using api = ReleaseApi.start();
  api.add(PINNED_TAG, {
    [`llama-${PINNED_TAG}-bin-ubuntu-x64.tar.gz`]: new Uint8Array(1_000_000),
  });
  api.stallAfterBytes = 1_000;
  await using server = await startServer({
    llamaServer: null,
    env: { PATH: "/usr/bin:/bin", ZOMBIE_RELEASE_API: api.base },
  });
  await api.served(1);
  await using opened = await openPage({ server, path: "#/settings" });
  const { page } = opened;
  await openEngine(page);
  await page.getByRole("progressbar", { name: "Being installed: llama.cpp" }).waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("Cancelled: llama.cpp. Everything is as it was.").waitFor();
  await page.evaluate("location.hash = '#/'");
  await page.getByText(/its installation was cancelled\./).waitFor();
  await opened.axe();
  await page.locator(".home-next").getByRole("link", { name: "Settings" }).click();
  await openEngine(page);
  const { length } = api.requests;
  await page.getByRole("button", { name: "Install: For the processor" }).click();
  await page.getByRole("progressbar", { name: "Being installed: For the processor" }).waitFor();
  await until(() => api.requests.length > length);
});

Deno.test("The engine's card is read in Bengali", async () => {
  await using server = await startServer();
  await using opened = await new GpuComputer().open(server, "bn");
  const { page } = opened;
  await row(page, "NVIDIA-র জন্য (CUDA 13)").getByText(
    "NVIDIA-র ড্রাইভার 550.54 বেশি পুরোনো। 580.00 বা তার পরেরটি বসান।",
  ).waitFor();
  await page.getByRole("button", { name: "বসান: গ্রাফিক্স কার্ডের জন্য (Vulkan)" }).click();
  await page.getByRole("progressbar").waitFor();
  await page.getByRole("button", { name: "বাতিল" }).click();
  await page.getByText("বাতিল করা হয়েছে: গ্রাফিক্স কার্ডের জন্য (Vulkan)। সব আগের মতোই আছে।").waitFor();
  await page.getByText(/^সুরক্ষা:/).waitFor();
  await opened.axe();
  await opened.page.setViewportSize({ width: 360, height: 740 });
  await opened.axe();
  const width = await page.evaluate<number>("document.querySelector('main').scrollWidth");
  assert.ok(width <= 360, `It is ${width} wide`);
  await opened.screenshot("settings-engine-bn", { fullPage: true });
});

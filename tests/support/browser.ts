// The page in a real Chromium. Whatever goes wrong in it fails the test: an error on its console, an
// error that nobody caught, a request that leaves the server.

import { join } from "node:path";
import axe from "axe-core";
import type { Browser, BrowserContext, Page, Request } from "playwright-core";
import { chromiumStart, SHARED_BROWSER } from "./chromium.ts";
import { TempFolder } from "./temp_folder.ts";

export interface PageOptions {
  server: { url: string };
  /** What stands behind the address: `#/get`. */
  path?: string;
  language?: "en" | "bn";
  theme?: "light" | "dark";
  viewport?: { width: number; height: number };
  /** By default the first steps were seen, and the page opens at home. */
  welcomed?: boolean;
  /** The key that the browser has kept. */
  key?: string;
  /** What the browser keeps for this page besides, by the names of its local storage. */
  storage?: Readonly<Record<string, string>>;
  /** A browser that shows no other page: for what is measured in all of it. */
  ownBrowser?: boolean;
  /** Lines of the console that this test provokes. */
  expected?: readonly RegExp[];
}

/** Chromium says so of each request that the page's own code already deals with. */
const OWN_CONSOLE_LINES = [/^Failed to load resource: /];

/** As text, as all that runs in the page: its types are not those of a test. */
const FIND_VIOLATIONS = `(async () => {
  // Colours are measured where they have come to rest.
  await Promise.all(document.getAnimations()
    .filter((each) => each.effect?.getComputedTiming().iterations !== Infinity)
    .map((each) => each.finished.catch(() => {})));
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await axe.run(document, { runOnly: { type: "tag", values: tags } });
  return violations.map(({ id, help, nodes }) => ({
    rule: id + ": " + help,
    nodes: nodes.map((node) => node.html + "\\n      " + node.failureSummary),
  }));
})()`;

const WIDE = { width: 1280, height: 800 };
/** A computer that is busy with other tests takes its time. */
const WAIT_MS = 30_000;

export class OpenPage implements AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  /** All that the page asked for. */
  readonly requests: Request[] = [];
  /** What went wrong so far. */
  readonly errors: string[] = [];
  readonly #browser: Browser;
  readonly #profile: TempFolder;
  readonly #name: { language: string; theme: string; width: number };

  constructor(
    parts: { page: Page; browser: Browser; profile: TempFolder },
    { server, language = "en", theme = "light", viewport = WIDE, expected = [] }: PageOptions,
  ) {
    this.page = parts.page;
    this.context = parts.page.context();
    this.#browser = parts.browser;
    this.#profile = parts.profile;
    this.#name = { language, theme, width: viewport.width };
    const { origin } = new URL(server.url);
    this.page.on("request", (request) => {
      this.requests.push(request);
      if (!isOwn(request.url(), origin)) this.errors.push(`It asked for ${request.url()}`);
    });
    this.page.on("pageerror", (error) => this.errors.push(`${error.message}\n${error.stack}`));
    this.page.on("console", (message) => {
      const text = message.text();
      const isExpected = [...OWN_CONSOLE_LINES, ...expected].some((each) => each.test(text));
      if (message.type() === "error" && !isExpected) this.errors.push(`On the console: ${text}`);
    });
  }

  /** Throws an Error that names each rule that is broken, and where. */
  async axe(): Promise<void> {
    if (!await this.page.evaluate<boolean>('"axe" in globalThis')) {
      // By the debugger, which the page's policy does not bind.
      await this.page.evaluate(axe.source);
    }
    const found = await this.page.evaluate<{ rule: string; nodes: string[] }[]>(FIND_VIOLATIONS);
    if (found.length === 0) return;
    const lines = found.flatMap(({ rule, nodes }) => [rule, ...nodes.map((each) => `  ${each}`)]);
    throw new Error(
      `axe on ${this.page.url()} (${Object.values(this.#name).join("-")}):\n${lines.join("\n")}`,
    );
  }

  /** Into the folder of ZOMBIE_SCREENSHOTS, if there is one. `theme`: where it was changed since. */
  async screenshot(
    name: string,
    { fullPage = false, theme = this.#name.theme } = {},
  ): Promise<void> {
    const folder = Deno.env.get("ZOMBIE_SCREENSHOTS");
    if (!folder) return;
    await Deno.mkdir(folder, { recursive: true });
    const { language, width } = this.#name;
    const path = join(folder, `${name}-${language}-${theme}-${width}.png`);
    await this.page.screenshot({ path, fullPage });
  }

  /** Throws an Error with what went wrong in the page so far. */
  assertClean(): void {
    if (this.errors.length > 0) throw new Error(`In the page:\n${this.errors.join("\n")}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
    await this.#browser.close();
    await this.#profile[Symbol.asyncDispose]();
    this.assertClean();
  }
}

/** Opens the page and waits until it can be used. */
export async function openPage(options: PageOptions): Promise<OpenPage> {
  const { server, path = "", viewport = WIDE, theme = "light", language = "en" } = options;
  const profile = await TempFolder.make();
  const browser = await startBrowser(profile.path, options.ownBrowser === true).catch(
    async (error) => {
      await profile[Symbol.asyncDispose]();
      throw error;
    },
  );
  try {
    const context = await browser.newContext({
      viewport,
      colorScheme: theme,
      locale: language === "bn" ? "bn-BD" : "en-GB",
      reducedMotion: "reduce",
    });
    context.setDefaultTimeout(WAIT_MS);
    const kept = {
      "zombie.theme": theme,
      "zombie.language": language,
      ...(options.welcomed !== false && { "zombie.welcomed": "true" }),
      ...(options.key !== undefined && { "zombie.key": options.key }),
      ...options.storage,
    };
    // Once: what the page changes must outlive a reload.
    await context.addInitScript(`
      if (sessionStorage.getItem("test.kept") === null) {
        sessionStorage.setItem("test.kept", "true");
        for (const [name, value] of Object.entries(${JSON.stringify(kept)})) {
          localStorage.setItem(name, value);
        }
      }
    `);
    const page = await context.newPage();
    const opened = new OpenPage({ page, browser, profile }, options);
    await page.goto(`${server.url}/${path}`);
    await page.locator("main h1").first().waitFor().catch((error) => {
      opened.assertClean();
      throw error;
    });
    return opened;
  } catch (error) {
    await browser.close();
    await profile[Symbol.asyncDispose]();
    throw error;
  }
}

/** The one that is there for all tests, or one that is started in the folder. */
export async function startBrowser(folder: string, isOwn: boolean): Promise<Browser> {
  const { chromium } = await import("playwright-core");
  const shared = Deno.env.get(SHARED_BROWSER);
  if (shared !== undefined && !isOwn) return await chromium.connectOverCDP(shared);
  const { path, env, args } = await chromiumStart(folder);
  return await chromium.launch({ executablePath: path, env, args });
}

function isOwn(address: string, origin: string): boolean {
  const { protocol, origin: theirs } = new URL(address);
  return theirs === origin || protocol === "data:" || protocol === "blob:";
}

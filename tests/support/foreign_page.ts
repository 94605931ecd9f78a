// A page of another site, in a real Chromium on the user's own machine: what a stranger's page can do.

import type { Browser, BrowserContext, Page } from "playwright-core";
import { startBrowser } from "./browser.ts";
import { TempFolder } from "./temp_folder.ts";

export class ForeignPage implements AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  /** `http://localhost:PORT`: for a browser another site than 127.0.0.1. */
  readonly origin: string;
  readonly #rest: AsyncDisposable;

  private constructor(parts: { page: Page; origin: string; rest: AsyncDisposable }) {
    this.page = parts.page;
    this.context = parts.page.context();
    this.origin = parts.origin;
    this.#rest = parts.rest;
  }

  /** Whatever is asked of that site is answered with this page. */
  static async open(html: string): Promise<ForeignPage> {
    await using stack = new AsyncDisposableStack();
    const site = stack.use(Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => new Response(html, { headers: { "content-type": "text/html" } }),
    ));
    const origin = `http://localhost:${site.addr.port}`;
    const profile = stack.use(await TempFolder.make());
    const browser: Browser = await startBrowser(profile.path, false);
    stack.defer(() => browser.close());
    const context = await browser.newContext();
    stack.defer(() => context.close());
    context.setDefaultTimeout(30_000);
    const page = await context.newPage();
    await page.goto(`${origin}/`);
    return new ForeignPage({ page, origin, rest: stack.move() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rest[Symbol.asyncDispose]();
  }
}

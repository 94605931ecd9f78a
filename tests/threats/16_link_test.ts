// A link that somebody sends: what follows from opening it, and from a page that shows ours in a frame.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { appRoutes } from "../support/app_routes.ts";
import { openPage } from "../support/browser.ts";
import { rowOf } from "../support/chat.ts";
import { ForeignPage } from "../support/foreign_page.ts";
import { TestHub } from "../support/hub.ts";
import { type ServerProcess, startServer, until } from "../support/server_process.ts";
import { serverState } from "../support/server_state.ts";
import { threatName } from "./rows.ts";

const DOORS = "29221-29230";

const WISHES = "q=delete+everything&prompt=hi&message=hi&text=hi&send=1&submit=true&autosubmit=1" +
  "&action=delete&load=hello&model=hello&download=evil/model&key=stolen&api_key=stolen&token=stolen" +
  "&url=https://tracker.invalid&redirect=https://tracker.invalid&theme=dark&system_prompt=Obey";

/** Each names a view, and asks it for something by every name that such a wish has elsewhere. */
const LINKS = [
  `?${WISHES}`,
  `?${WISHES}#/chat/hello`,
  `#/chat/hello?${WISHES}`,
  `#/chat/hello/${encodeURIComponent("delete everything")}`,
  `?${WISHES}#/get/evil%2Fmodel`,
  `#/models/hello?${WISHES}`,
  `#/settings/keys?${WISHES}`,
  `#/settings?extra_args=--tools&${WISHES}`,
  `#/logs/hello?${WISHES}`,
  "#/chat/%3Cimg%20src%3Dx%20onerror%3Dhacked%3D1%3E",
  "#javascript:hacked=1",
  `#${WISHES}`,
];

/** Ends when the page has nothing to do. */
const IDLE = "new Promise((done) => requestIdleCallback(done, { timeout: 1000 }))";

async function served(hub: TestHub): Promise<ServerProcess> {
  return await startServer({ doors: DOORS, env: { HF_ENDPOINT: hub.endpoint } });
}

Deno.test(
  threatName(16, "no link into the page sends, loads, fetches or keeps anything"),
  async () => {
    await using hub = await TestHub.start();
    await using server = await served(hub);
    const before = await serverState(server);
    await using opened = await openPage({ server });
    const { page } = opened;
    const kept = "JSON.stringify(Object.entries(localStorage).sort())";
    // What the views keep by themselves is there after a look at each.
    for (const view of ["chat/hello", "get", "models", "settings", "connect", "logs"]) {
      await page.goto(`${server.url}/#/${view}`);
      await page.locator("main h1").first().waitFor();
      if (view === "chat/hello") {
        await until(() =>
          page.evaluate<boolean>('localStorage.getItem("zombie.chat.model") === "hello"')
        );
      }
      await page.evaluate(IDLE);
    }
    const keptBefore = await page.evaluate<string>(kept);
    for (const [index, link] of LINKS.entries()) {
      // As from outside: each a new document, not a step within the page.
      const [query, hash = ""] = link.split("#");
      await page.goto(`${server.url}/${query || "?"}&from=${index}#${hash}`);
      await page.locator("main h1").first().waitFor();
      // Whatever the view does by itself comes before it has nothing to do.
      await page.evaluate(IDLE);
      const written = await page.evaluate<string[]>(
        '[...document.querySelectorAll("textarea")].map(({ value }) => value)',
      );
      deepEqual(written.filter((text) => text !== ""), [], link);
      equal(await page.locator("[role=dialog]").count(), 0, link);
    }
    equal(await page.evaluate("globalThis.hacked ?? null"), null);
    equal(await page.evaluate<string>(kept), keptBefore);
    const asked = opened.requests.filter((request) => !/^(?:data|blob|about):/.test(request.url()));
    deepEqual(asked.filter((request) => request.method() !== "GET").map((each) => each.url()), []);
    for (const request of asked) {
      ok(!/stolen|tracker|evil/.test(JSON.stringify(request.headers())), request.url());
    }
    deepEqual(await serverState(server), before);
    // A link may show what there is on the Hub, and fetches none of it.
    deepEqual(hub.requests.filter(({ file }) => file !== null), []);
  },
);

Deno.test(threatName(16, "no GET changes anything, whatever its query says"), async () => {
  await using hub = await TestHub.start();
  await using server = await served(hub);
  const before = await serverState(server);
  const reads = appRoutes().filter(({ method, path }) =>
    (method === "GET" || method === "ALL") &&
    // These two do what their users know them for, and not for another site: below.
    !["/unload", "/upstream/:model/*"].includes(path)
  );
  ok(reads.length > 30, `${reads.length} reads`);
  for (const { path } of reads) {
    const target = path.replace(/:\w+(?:\{[^}]*\})?/g, "hello").replaceAll("*", "x");
    for (const method of ["GET", "HEAD"]) {
      const answer = await server.fetch(`${target}?${WISHES}&_method=DELETE&method=POST`, {
        method,
        headers: { "x-http-method-override": "DELETE", "x-method-override": "POST" },
      });
      // Streams go on for ever.
      await answer.body?.cancel();
      ok(answer.status < 500 || answer.status === 501, `${method} ${path}: ${answer.status}`);
    }
  }
  deepEqual(await serverState(server), before);
});

Deno.test(threatName(16, "a link of another site neither loads nor unloads a model"), async () => {
  await using hub = await TestHub.start();
  await using server = await served(hub);
  await using foreign = await ForeignPage.open("<title>Cat pictures</title>");
  const { page } = foreign;
  /** What is shown comes some time after the address. */
  async function follow(path: string, shown: RegExp): Promise<void> {
    await page.goto(foreign.origin);
    await page.evaluate(`{
      const link = document.createElement("a");
      link.href = ${JSON.stringify(server.url + path)};
      document.body.append(link);
      link.click();
    }`);
    await page.waitForURL(`${server.url}/**`);
    await page.locator("body", { hasText: shown }).waitFor();
  }
  await follow("/upstream/hello/props", /because of a link on another page/);
  equal((await rowOf(server, "hello")).state, "stopped");
  await (await server.post("/admin/models/hello/load", {})).body?.cancel();
  await follow("/unload", /because of a link on another page/);
  const { state, port } = await rowOf(server, "hello");
  equal(state, "ready");
  await page.goto(foreign.origin);
  await page.goto(`http://127.0.0.1:${port}/props`);
  // Whoever opens the address himself is answered, and a link may show the page.
  await page.locator("body", { hasText: /default_generation_settings/ }).waitFor();
  await follow("/", /ZombieCoder/);
});

/** In a page of another site: each way to show something within it. */
function frames(url: string): string {
  return `<iframe src="${url}"></iframe><object data="${url}"></object><embed src="${url}">
    <iframe sandbox="allow-scripts allow-same-origin" src="${url}"></iframe>`;
}

Deno.test(
  threatName(16, "frame-ancestors 'none': Chromium shows the page and /docs in no frame"),
  async () => {
    await using server = await startServer({ doors: DOORS });
    const urls = [`${server.url}/`, `${server.url}/docs`];
    await using foreign = await ForeignPage.open(`<body>${urls.map(frames).join("")}</body>`);
    const { page, context } = foreign;
    // Documents are what may be framed; what they would go on to load only takes time.
    await context.route(
      ({ pathname }) => /\.(?:js|css|json)$/.test(pathname),
      (route) => route.abort(),
    );
    async function shown(): Promise<number> {
      // With what is in its frames, as far as they are documents.
      await page.goto(foreign.origin, { waitUntil: "load" });
      const inside = page.frames().slice(1);
      ok(inside.length >= 4, `${inside.length} frames`);
      const texts = await Promise.all(
        inside.map((frame) => frame.url().startsWith("chrome-error:") ? "" : frame.content()),
      );
      return texts.filter((text) => text.includes("ZombieCoder")).length;
    }
    // A browser of today says that it is for a frame, and gets a refusal.
    equal(await shown(), 0, "by what the browser says of itself");
    // One that says nothing gets the page, with the policy that forbids it.
    const policies: string[] = [];
    let strip = false;
    await context.route(({ href }) => urls.includes(href), async (route) => {
      const answer = await route.fetch({ headers: { accept: "text/html" } });
      const headers = answer.headers();
      policies.push(headers["content-security-policy"] ?? "");
      if (strip) delete headers["content-security-policy"];
      await route.fulfill({ response: answer, headers });
    });
    equal(await shown(), 0, "by its policy");
    ok(policies.length >= 4);
    for (const policy of policies) match(policy, /frame-ancestors 'none'/);
    // Without it there would have been something to see.
    strip = true;
    ok(await shown() >= 2, "without its policy");
  },
);

// A Hub, or what answers in its name, that leads whoever has a token to another host.

import { equal, match, ok } from "node:assert/strict";
import { createLog } from "../../src/log.ts";
import { Hub } from "../../src/models/hub.ts";
import { TestHub } from "../support/hub.ts";
import { seededContent } from "../support/hub_content.ts";
import { ListeningStranger } from "../support/listening_stranger.ts";
import { startServer, until } from "../support/server_process.ts";
import { threatName } from "./rows.ts";

const TOKEN = "hf_" + "s".repeat(34);
const ENDS = /s{34}|aGZf/;

/** Answers each question with the same lead; tells how many of them carried the token. */
class LeadingHub implements AsyncDisposable {
  lead: () => Response = () => new Response("[]");
  withToken = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      if (request.headers.get("authorization") === `Bearer ${TOKEN}`) this.withToken++;
      return this.lead();
    });
  }

  get port(): number {
    return this.#server.addr.port;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** Where a redirect may point so that it is another host, and looks like the same one. */
function locations(hub: number, stranger: number): string[] {
  return [
    `http://127.0.0.1:${stranger}/x`,
    `http://localhost:${stranger}/x`,
    `https://127.0.0.1:${stranger}/x`,
    `//127.0.0.1:${stranger}/x`,
    `\\\\127.0.0.1:${stranger}\\x`,
    `http:\\\\127.0.0.1:${stranger}/x`,
    `http://user:pass@127.0.0.1:${stranger}/x`,
    `http://127.0.0.1:${hub}@127.0.0.1:${stranger}/x`,
    `http://127.0.0.1%3A${hub}@localhost:${stranger}/x`,
    `http://127.0.0.1:${stranger}/x#@127.0.0.1:${hub}/`,
    `HTTP://LOCALHOST:${stranger}/x?token=`,
    `http://[::ffff:127.0.0.1]:${stranger}/x`,
  ];
}

/** All answers of a Hub that name the stranger. */
function leads(hub: number, stranger: number): [name: string, lead: () => Response][] {
  const rogue = `http://127.0.0.1:${stranger}`;
  const redirects = locations(hub, stranger).flatMap((location) =>
    [301, 302, 303, 307, 308].map((status): [string, () => Response] => [
      `${status} ${location}`,
      () => new Response(null, { status, headers: { location } }),
    ])
  );
  const challenges = [
    `Bearer realm="${rogue}/token",service="hub"`,
    `Basic realm="${rogue}"`,
    `Bearer realm="/token", error_uri="${rogue}"`,
  ].map((challenge): [string, () => Response] => [
    challenge,
    () => new Response("no", { status: 401, headers: { "www-authenticate": challenge } }),
  ]);
  const next: [string, () => Response] = [
    "the next page",
    () => Response.json([], { headers: { link: `<${rogue}/page>; rel="next"` } }),
  ];
  const others = ["refresh", "content-location", "alt-svc"].map((
    name,
  ): [string, () => Response] => [
    name,
    () =>
      Response.json([], { headers: { [name]: name === "refresh" ? `0; url=${rogue}` : rogue } }),
  ]);
  return [...redirects, ...challenges, next, ...others];
}

Deno.test(
  threatName(13, "no lead of the Hub's answers takes the token to a second host"),
  async () => {
    await using hub = new LeadingHub();
    await using stranger = new ListeningStranger();
    await using server = await startServer({
      doors: "29196-29199",
      // Files may come from there: what is asked of it is to be seen.
      env: {
        HF_ENDPOINT: hub.endpoint,
        HF_TOKEN: TOKEN,
        ZOMBIE_DOWNLOAD_HOSTS: `127.0.0.1:${stranger.port},localhost:${stranger.port}`,
      },
    });
    const all = leads(hub.port, stranger.port);
    ok(all.length > 60);
    for (const [name, lead] of all) {
      hub.lead = lead;
      for (const path of ["/admin/hub/search?q=x&cursor=y", "/admin/hub/repos/org/name"]) {
        const answer = await server.fetch(path);
        const text = await answer.text();
        ok(answer.status < 500 || answer.status === 502, `${name}: ${answer.status} ${text}`);
        ok(!ENDS.test(text), `${name}: the token is in the answer`);
      }
    }
    ok(hub.withToken >= all.length, "the Hub itself gets the token");
    equal(stranger.heard.filter((text) => ENDS.test(text)).length, 0);
    // Neither the API's questions nor its challenges ever went there.
    equal(stranger.heard.length, 0);
  },
);

Deno.test(
  threatName(13, "where files do lie on a second host, it is asked without the token"),
  async () => {
    await using hub = new LeadingHub();
    await using stranger = new ListeningStranger();
    using client = new Hub({
      endpoint: hub.endpoint,
      token: TOKEN,
      downloadHosts: [`127.0.0.1:${stranger.port}`, `localhost:${stranger.port}`],
      log: createLog({ part: "hub", level: "error", write() {} }),
    });
    const file = { repo: "org/name", commit: "main", path: "a.gguf" };
    let followed = 0;
    for (const location of locations(hub.port, stranger.port)) {
      hub.lead = () =>
        new Response(null, { status: 302, headers: { location, "x-linked-size": "2" } });
      try {
        const resolved = await client.resolve(file);
        const answer = await client.open(resolved, { start: 0, end: 2 });
        await answer.body?.cancel();
        followed++;
      } catch (error) {
        match(String(error), /AppError/);
      }
    }
    ok(followed >= 3 && stranger.heard.length >= 3, `${followed} were followed`);
    for (const text of stranger.heard) {
      ok(!ENDS.test(text) && !/authorization/i.test(text), text);
    }
  },
);

Deno.test(
  threatName(13, "a whole download with the token leaves it with the Hub alone"),
  async () => {
    await using hub = await TestHub.start();
    const repo = hub.add("org/gated", {
      files: { "a.gguf": seededContent(13, 50_000) },
      gated: "manual",
    });
    hub.addToken(TOKEN, [repo]);
    await using server = await startServer({
      doors: "29196-29199",
      env: {
        HF_ENDPOINT: hub.endpoint,
        HF_TOKEN: TOKEN,
        ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost,
      },
    });
    const ordered = await server.post("/admin/downloads", { repo: "org/gated", file: "a.gguf" });
    equal(ordered.status, 201, await ordered.text());
    await until(() => hub.cdnRequests.some(({ end }) => end === "whole"), 20_000);
    ok(hub.requests.some(({ host, token }) => host === "hub" && token === TOKEN));
    for (const { headers, path, query } of hub.cdnRequests) {
      ok(!ENDS.test(JSON.stringify(headers) + path + query), JSON.stringify(headers));
    }
  },
);

Deno.test(
  threatName(13, "the token goes to no Hub over http, not even through a proxy"),
  async () => {
    await using proxy = new ListeningStranger();
    await using server = await startServer({
      doors: "29196-29199",
      env: {
        HF_ENDPOINT: "http://hub.invalid",
        HF_TOKEN: TOKEN,
        HTTP_PROXY: `http://127.0.0.1:${proxy.port}`,
        HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
      },
    });
    const answer = await server.fetch("/admin/hub/search?q=x");
    await answer.body?.cancel();
    ok(proxy.heard.some((text) => text.includes("hub.invalid")), "the question went out");
    for (const text of proxy.heard) ok(!ENDS.test(text) && !/authorization/i.test(text), text);
    match(server.stderr, /HF_TOKEN is not sent/);
  },
);

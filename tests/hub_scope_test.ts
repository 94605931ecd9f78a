// The client where it runs: in the server's scope, with proxies in the environment or without.

import assert from "node:assert/strict";
import { hubAddresses, isDownloadHost } from "../src/hub_hosts.ts";
import { TestHub } from "./support/hub.ts";
import { seededContent } from "./support/hub_content.ts";
import type { HubScopeInput } from "./support/hub_scope_worker.ts";

async function inScope(
  input: HubScopeInput,
  { proxy = null, env = {} }: { proxy?: string | null; env?: Record<string, string> } = {},
): Promise<string[]> {
  const probe = new URL("support/hub_scope_probe.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-prompt", "--quiet", "--no-lock", probe],
      JSON.stringify({ ...input, proxy }),
    ],
    cwd: new URL("..", import.meta.url),
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** A proxy that answers nobody; says what it was asked for. */
function closedProxy() {
  const seen: string[] = [];
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of listener) {
      using _ = connection;
      const bytes = new Uint8Array(2000);
      const length = await connection.read(bytes);
      seen.push(new TextDecoder("latin1").decode(bytes.subarray(0, length ?? 0)).split("\r\n")[0]!);
      const answer = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
      await connection.write(new TextEncoder().encode(answer)).catch(() => {});
    }
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    seen,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
    },
  };
}

const WORKS = ["done: 1", "done: 1", "done: 206 5"];

async function standIn() {
  const hub = await TestHub.start();
  hub.add("org/m", { files: { "a.gguf": seededContent(1, 1000) } });
  return hub;
}

function inputOf(hub: TestHub, others: string[] = []): HubScopeInput {
  return { endpoint: hub.endpoint, downloadHosts: [hub.downloadHost], token: null, others };
}

Deno.test("The server's scope reaches the Hub and the hosts that it leads to, and no other", async () => {
  await using hub = await standIn();
  await using other = await standIn();
  const others = [
    other.endpoint,
    `http://${other.downloadHost}`,
    // The same machine by another name than the one that was granted.
    hub.endpoint.replace("127.0.0.1", "localhost"),
    "https://hf.co.evil.invalid/",
    "http://cdn.hf.co/",
    "https://cdn.hf.co:8443/",
    "https://example.invalid/",
  ];
  const answers = await inScope(inputOf(hub, others));
  assert.deepEqual(answers, [...WORKS, ...others.map(() => "NotCapable")]);
  assert.deepEqual(other.requests, []);
  const unlisted = await inScope({ ...inputOf(hub), downloadHosts: [] });
  assert.deepEqual(unlisted, ["done: 1", "done: 1", "hub_host_refused"]);
});

Deno.test("A proxy in the environment is never asked for this machine", async () => {
  await using hub = await standIn();
  await using proxy = closedProxy();
  const env = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, ALL_PROXY: proxy.url, NO_PROXY: "" };
  assert.deepEqual(await inScope(inputOf(hub), { proxy: proxy.url, env }), WORKS);
  assert.deepEqual(proxy.seen, []);
});

Deno.test("A proxy in the environment is asked for the Hub, but for what NO_PROXY names", async () => {
  await using proxy = closedProxy();
  const input = {
    endpoint: "https://hub.invalid",
    downloadHosts: [],
    token: "hf_secret",
    // Through the proxy neither: the scope still looks at whom it is for.
    others: ["https://elsewhere.invalid/", proxy.url],
  };
  const env = { https_proxy: proxy.url };
  const answers = await inScope(input, { proxy: proxy.url, env });
  assert.deepEqual(answers, [
    ...Array(3).fill("hub_unreachable proxy"),
    ...["NotCapable", "NotCapable"],
  ]);
  assert.deepEqual(new Set(proxy.seen), new Set(["CONNECT hub.invalid:443 HTTP/1.1"]));
  proxy.seen.length = 0;
  const without = await inScope({ ...input, others: [] }, {
    proxy: proxy.url,
    env: { ...env, NO_PROXY: "hub.invalid" },
  });
  assert.deepEqual(without, Array(3).fill("hub_unreachable no_such_host"));
  assert.deepEqual(proxy.seen, []);
});

Deno.test("hubAddresses() lists the endpoint, the Hub's own hosts, those of the user and a SOCKS proxy", () => {
  const own = ["huggingface.co:443", "*.huggingface.co:443", "hf.co:443", "*.hf.co:443"];
  const cases: [Parameters<typeof hubAddresses>[0], string[]][] = [
    [{ hfEndpoint: "https://huggingface.co", downloadHosts: [], proxy: null }, own],
    [
      {
        hfEndpoint: "http://mirror.lan:8080/hf",
        downloadHosts: ["cdn.lan", "cdn.lan:81", "[::1]:9000"],
        proxy: "http://proxy.lan:3128",
      },
      [
        ...["mirror.lan:8080", ...own, "cdn.lan:443", "cdn.lan:80", "cdn.lan:81", "[::1]:9000"],
      ],
    ],
    [
      { hfEndpoint: "https://hf-mirror.com", downloadHosts: [], proxy: "socks5h://u:p@proxy.lan" },
      ["hf-mirror.com:443", ...own, "proxy.lan:1080"],
    ],
  ];
  for (const [places, addresses] of cases) assert.deepEqual(hubAddresses(places), addresses);
});

Deno.test("isDownloadHost() takes the Hub's own hosts encrypted, others as they were named", () => {
  const named = ["cdn.lan", "other.lan:8080", "plain.lan:80"];
  const yes = [
    ...["https://huggingface.co/x", "https://cas-bridge.xethub.hf.co/x", "https://us.cdn.hf.co/x"],
    ...["https://cdn.lan/x", "http://cdn.lan/x", "http://other.lan:8080/x", "http://plain.lan/x"],
  ];
  const no = [
    ...["http://cdn.hf.co/x", "https://hf.co.evil.lan/x", "https://evilhf.co/x"],
    ...["https://cdn.hf.co:444/x", "https://cdn.lan:444/x", "https://x.cdn.lan/x"],
    ...["https://other.lan/x", "https://u:p@cdn.lan/x", "file:///cdn.lan/x", "ftp://cdn.lan/x"],
  ];
  for (const url of yes) assert.ok(isDownloadHost(new URL(url), named), url);
  for (const url of no) assert.ok(!isDownloadHost(new URL(url), named), url);
});

// Whoever may ask a model might have it fetch an address that only this machine can reach.

import { deepEqual, equal, ok } from "node:assert/strict";
import { rowOf } from "../support/chat.ts";
import { bodyOf } from "../support/recording_server.ts";
import { seeingServer } from "../support/seeing_server.ts";
import { threatName } from "./rows.ts";

/** On one port, which is free on both addresses. */
function listenOnBoth(): Deno.TcpListener[] {
  for (let attempt = 1;; attempt++) {
    const first = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      return [first, Deno.listen({ hostname: "::1", port: first.addr.port })];
    } catch (error) {
      first.close();
      if (!(error instanceof Deno.errors.AddrInUse) || attempt === 20) throw error;
    }
  }
}

/** Listens as what must not be reached would: on loopback of both kinds. */
class Canary implements AsyncDisposable {
  readonly port: number;
  connections = 0;
  readonly #listeners: Deno.TcpListener[];
  readonly #serving: Promise<unknown>;

  constructor() {
    this.#listeners = listenOnBoth();
    this.port = this.#listeners[0]!.addr.port;
    this.#serving = Promise.all(this.#listeners.map(async (listener) => {
      for await (const connection of listener) {
        this.connections++;
        connection.close();
      }
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    await this.#serving;
  }
}

/** 36 ways to write an address that leads to this machine, its files or its neighbours. */
function addresses(port: number): string[] {
  const at = `:${port}/latest/meta-data/`;
  const hosts = [
    ...["127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.1", "127.0.1", "2130706433"],
    ...["017700000001", "0177.0.0.1", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "127.0.0.1.", "0"],
    ...["0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]"],
    // A name that leads elsewhere with each question, and one that only looks like a number.
    ...["rebind.127-0-0-1.evil.invalid", "\u2460\u2461\u2466.\u24EA.\u24EA.\u2460"],
    ...["user:pass@127.0.0.1", "evil.invalid@127.0.0.1"],
  ];
  return [
    ...hosts.map((host) => `http://${host}${at}`),
    `https://127.0.0.1${at}`,
    `HTTP://127.0.0.1${at}`,
    ` http://127.0.0.1${at}`,
    `\nhttp://127.0.0.1${at}`,
    `//127.0.0.1${at}`,
    `http:\\\\127.0.0.1${at}`,
    `http://127.0.0.1${at}#data:image/png;base64,AAAA`,
    `http://127.0.0.1${at}?redirect=http://169.254.169.254/`,
    "http://169.254.169.254/latest/meta-data/",
    `ftp://127.0.0.1${at}`,
    "file:///etc/passwd",
    "FILE://localhost/etc/passwd",
  ];
}

/** Each place of each dialect where a part of a message may name an address. */
function bodies(url: string): [path: string, body: Record<string, unknown>][] {
  const user = (...content: unknown[]) => ({ messages: [{ role: "user", content }] });
  const text = { type: "text", text: "What is it?" };
  const source = { type: "url", url };
  const openai: Record<string, unknown>[] = [
    user(text, { type: "image_url", image_url: { url } }),
    user({ type: "image_url", image_url: url }, text),
    user({ type: "video_url", video_url: { url } }),
    user({ type: "input_audio", input_audio: { url, format: "wav" } }),
    user({ type: "input_audio", input_audio: { data: url, format: "wav" } }),
    user({ type: "input_video", input_video: { data: url } }),
  ];
  const messages: Record<string, unknown>[] = [
    { max_tokens: 5, ...user({ type: "image", source }) },
    {
      max_tokens: 5,
      ...user({ type: "tool_result", tool_use_id: "1", content: [{ type: "image", source }] }),
    },
    { max_tokens: 5, ...user(text), system: [{ type: "image", source }] },
  ];
  return [
    ...["/v1/chat/completions", "/upstream/eye/v1/chat/completions", "/upstream/eye/apply-template"]
      .flatMap((path) => openai.map((body): [string, Record<string, unknown>] => [path, body])),
    ...["/v1/messages", "/v1/messages/count_tokens", "/upstream/eye/v1/messages"]
      .flatMap((path) => messages.map((body): [string, Record<string, unknown>] => [path, body])),
    ["/v1/responses", {
      input: [{ role: "user", content: [{ type: "input_image", image_url: url }] }],
    }],
    ["/v1/responses", {
      input: [{
        type: "function_call_output",
        call_id: "1",
        output: [{ type: "input_image", image_url: url }],
      }],
    }],
    ["/api/chat", { messages: [{ role: "user", content: "What is it?", images: [url] }] }],
    ["/api/generate", { prompt: "What is it?", images: [url] }],
  ];
}

Deno.test(
  threatName(12, "36 forms of an address in all dialects reach no canary and no instance"),
  async () => {
    await using canary = new Canary();
    await using served = await seeingServer({ doors: "29186-29195" });
    const { server, recorded } = served;
    const forms = addresses(canary.port);
    ok(forms.length >= 30);
    // Loaded, so that nothing stands in the way but what refuses the address.
    const loaded = await server.post("/admin/models/eye/load", {});
    equal(loaded.status, 200, await loaded.text());
    const { port } = await rowOf(server, "eye");
    for (const url of forms) {
      await Promise.all(
        bodies(url).map(async ([path, body]) => {
          const json = JSON.stringify({ model: "eye", stream: false, ...body });
          const answer = await server.fetch(path, { method: "POST", body: json });
          const text = await answer.text();
          equal(answer.status, 400, `${path} ${url}: ${text}`);
          ok(!/root:|uid=/.test(text));
        }),
      );
      const [, body] = bodies(url)[0]!;
      const answer = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
        method: "POST",
        body: JSON.stringify(body),
      });
      equal(answer.status, 400, await answer.text());
    }
    equal(canary.connections, 0);
    deepEqual(await recorded.requests(), []);
    // The canary sings, and what carries its bytes with it is passed on.
    (await Deno.connect({ hostname: "127.0.0.1", port: canary.port })).close();
    const [path, body] = bodies("data:image/png;base64,iVBORw0KGgo=")[0]!;
    const passed = await server.post(path, { model: "eye", ...body });
    equal(passed.status, 200, await passed.text());
    equal((await recorded.requests()).length, 1);
  },
);

Deno.test(
  threatName(12, "no way to write or to send the JSON hides an address from the gateway"),
  async () => {
    await using canary = new Canary();
    await using served = await seeingServer({ doors: "29186-29195" });
    const { server, recorded } = served;
    const url = `http://127.0.0.1:${canary.port}/`;
    const whole = JSON.stringify({
      model: "eye",
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }],
    });
    const safe = '{"type":"image_url","image_url":{"url":"data:,"}}';
    const content = `[{"type":"image_url","image_url":{"url":"${url}"}}]`;
    const texts = [
      whole,
      ...[" ", "\n", "\r\n\t ", "\uFEFF", "\uFEFF \n"].map((before) => before + whole),
      // What is there twice counts as its last, here as there.
      `{"model":"eye","messages":[],"messages":[{"role":"user","content":${content}}]}`,
      `{"model":"eye","messages":[{"role":"user","content":[${safe}],"content":${content}}]}`,
      whole.replaceAll("url", "\\u0075rl"),
      whole.replaceAll("messages", "m\\u0065ssages").replace(
        url,
        url.replace("http", "\\u0068ttp"),
      ),
    ];
    const types = [
      ...["application/json", "text/plain", "application/octet-stream", null],
      ...["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"],
    ];
    for (const path of ["/v1/chat/completions", "/upstream/eye/v1/chat/completions"]) {
      for (const text of texts) {
        for (const type of types) {
          const answer = await server.fetch(path, {
            method: "POST",
            body: new TextEncoder().encode(text),
            ...(type !== null && { headers: { "content-type": type } }),
          });
          const { error } = await answer.json();
          equal(error?.code, "remote_media_refused", `${path} ${type}: ${JSON.stringify(text)}`);
        }
      }
    }
    equal(canary.connections, 0);
    deepEqual(
      (await recorded.requests()).map((request) => new TextDecoder().decode(bodyOf(request))),
      [],
    );
  },
);

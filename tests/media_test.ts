// Images and sound: what reaches a model that takes them, and the refusal of one that does not, before
// anything is loaded.

import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../src/errors.ts";
import { formFields } from "../src/gateway/form_fields.ts";
import { post, rowOf } from "./support/chat.ts";
import { bodyOf } from "./support/recording_server.ts";
import { seeingServer } from "./support/seeing_server.ts";
import { startServer } from "./support/server_process.ts";

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const IMAGE_URL = `data:image/png;base64,${PIXEL}`;

/** One image, as each route's clients send it. */
const IMAGES: readonly [path: string, body: Record<string, unknown>][] = [
  ["/v1/chat/completions", {
    messages: [{
      role: "user",
      content: [
        { type: "text", text: "What is it?" },
        { type: "image_url", image_url: { url: IMAGE_URL } },
      ],
    }],
  }],
  ["/v1/responses", {
    input: [{ role: "user", content: [{ type: "input_image", image_url: IMAGE_URL }] }],
  }],
  ["/v1/messages", {
    max_tokens: 5,
    messages: [{
      role: "user",
      content: [{
        type: "tool_result",
        tool_use_id: "1",
        content: [{
          type: "image",
          source: { type: "base64", media_type: "image/png", data: PIXEL },
        }],
      }],
    }],
  }],
];

function soundForm(model: string | null): FormData {
  const form = new FormData();
  form.set("file", new File([crypto.getRandomValues(new Uint8Array(40_000))], "a.wav"));
  if (model !== null) form.set("model", model);
  form.set("language", "bn");
  return form;
}

Deno.test("images and sound reach a model that takes them byte for byte, and no header of the client's", async () => {
  await using served = await seeingServer();
  const { server, recorded } = served;
  const bodies: Uint8Array[] = [];
  for (const [path, fields] of IMAGES) {
    const body = JSON.stringify({ model: "eye", ...fields, unknown_field: 1 }, null, 2);
    bodies.push(new TextEncoder().encode(body));
    const headers = { "x-conversation-id": "1", "anthropic-version": "2023-06-01", cookie: "a=b" };
    const answer = await server.fetch(path, { method: "POST", body, headers });
    equal(answer.status, 200, await answer.text());
  }
  const form = new Request(server.url, { method: "POST", body: soundForm("eye") });
  const contentType = form.headers.get("content-type")!;
  bodies.push(await form.bytes());
  const heard = await server.fetch("/v1/audio/transcriptions", {
    method: "POST",
    body: bodies.at(-1)! as BodyInit,
    headers: { "content-type": contentType },
  });
  equal(heard.status, 200, await heard.text());
  const requests = await recorded.requests();
  deepEqual(requests.map(({ path }) => path), [
    ...[...IMAGES.map(([path]) => path), "/v1/audio/transcriptions"],
  ]);
  requests.forEach((request, index) => deepEqual(bodyOf(request), bodies[index]));
  deepEqual(requests.map(({ headers }) => headers["content-type"]), [
    ...[...IMAGES.map(() => "application/json"), contentType],
  ]);
  for (const { headers } of requests) {
    deepEqual(Object.keys(headers).sort(), [
      ...["authorization", "content-length", "content-type", "host"],
    ]);
  }
});

Deno.test("images and sound for a model without projector are 400 that says so, and nothing is loaded", async () => {
  await using server = await startServer();
  for (
    const [path, fields] of [
      ...IMAGES,
      ["/upstream/hello/v1/chat/completions", IMAGES[0]![1]] as const,
    ]
  ) {
    const answer = await post(server, path, { model: "hello", ...fields });
    const { error } = await answer.json();
    equal(answer.status, 400, path);
    match(error.message, /^Cannot show an image to "hello": it has no projector/);
  }
  const sound = { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } };
  const answer = await post(server, "/v1/chat/completions", {
    model: "hello",
    messages: [{ role: "user", content: [sound] }],
  });
  match((await answer.json()).error.message, /^Cannot show sound to "hello"/);
  const forms: [body: BodyInit, status: number, says: RegExp][] = [
    [soundForm("hello"), 400, /^Cannot show sound to "hello"/],
    [soundForm(null), 400, /names none/],
    [soundForm("nobody"), 404, /Cannot find the model "nobody"/],
    [JSON.stringify({ model: "hello" }), 400, /multipart\/form-data/],
  ];
  for (const [body, status, says] of forms) {
    const refusal = await server.fetch("/v1/audio/transcriptions", { method: "POST", body });
    const { error } = await refusal.json();
    deepEqual([refusal.status], [status], error.message);
    match(error.message, says);
  }
  equal((await rowOf(server, "hello")).state, "stopped");
});

Deno.test("formFields() finds a field in any form that the platform writes, whatever the files hold", async () => {
  const text = fc.string({ unit: "grapheme", maxLength: 20 });
  const file = fc.uint8Array({ maxLength: 300 });
  // Files that hold what looks like the form itself.
  const hostile = fc.constantFrom(
    ...["\r\n--", "\r\n\r\n", '--\r\nContent-Disposition: form-data; name="model"\r\n\r\nevil\r\n'],
  ).map((string) => new TextEncoder().encode(string));
  const part = fc.oneof(
    fc.record({ name: fc.constantFrom("a", "file", "model "), text }),
    fc.record({ name: fc.constantFrom("file", "model"), file: fc.oneof(file, hostile) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 5 }),
      text,
      fc.nat(5),
      async (parts, model, at) => {
        const form = new FormData();
        const add = (index: number) => index === at && form.append("model", model);
        parts.forEach((each, index) => {
          add(index);
          if ("file" in each) form.append(each.name, new Blob([each.file as BlobPart]), "x.wav");
          else form.append(each.name, each.text);
        });
        if (at >= parts.length) form.append("model", model);
        const request = new Request("http://x/", { method: "POST", body: form });
        const contentType = request.headers.get("content-type");
        const body = await request.bytes();
        // As the platform itself reads it: it writes lone line breaks as two characters.
        const read =
          (await new Response(body, { headers: { "content-type": contentType! } }).formData())
            .getAll("model").find((value) => typeof value === "string");
        equal(formFields(body, contentType).get("model"), read);
        equal(formFields(body, contentType).get("nothing"), undefined);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("formFields() refuses what is no whole form, and never reads past its end", () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  const contentType = "multipart/form-data; boundary=B";
  const whole = '--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nhello\r\n--B--\r\n';
  equal(formFields(encode(whole), contentType).get("model"), "hello");
  equal(formFields(encode(`preamble\r\n${whole}`), contentType).get("model"), "hello");
  equal(
    formFields(encode(whole.replace('"model"', "model")), contentType).get("model"),
    "hello",
  );
  const quoted = 'multipart/form-data; charset=utf-8; boundary="B"';
  equal(formFields(encode(whole), quoted).get("model"), "hello");
  equal(formFields(encode("--B--\r\n"), contentType).size, 0);
  const long = whole.replace("hello", "x".repeat(5_000));
  equal(formFields(encode(long), contentType).size, 0);
  const isRefusal = (error: unknown) => error instanceof AppError && error.status === 400;
  for (
    const type of [null, "application/json", "multipart/form-data", "multipart/mixed; boundary=B"]
  ) {
    throws(() => formFields(encode(whole), type), isRefusal);
  }
  for (let length = 0; length < whole.length - 6; length++) {
    const cut = encode(whole.slice(0, length));
    throws(() => formFields(cut, contentType), isRefusal, `${length}`);
  }
  // As large as a body may be, and the worst that it can hold.
  const big = new Uint8Array(64 * 1024 ** 2).fill(13);
  big.set(encode('--B\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n'));
  const startMs = performance.now();
  throws(() => formFields(big, contentType), isRefusal);
  ok(performance.now() - startMs < 2_000);
});

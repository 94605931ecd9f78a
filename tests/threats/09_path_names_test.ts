// A client of the API that writes a path where a name, a digest or one of our own paths is wanted.

import { deepEqual, equal, ok } from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { writeTestModel } from "../../src/models/hello_model.ts";
import { HOSTILE_NAMES, hostileName } from "../support/hostile_names.ts";
import { rawRequest } from "../support/raw_request.ts";
import { type ServerProcess, startServer } from "../support/server_process.ts";
import { allListed } from "../support/server_state.ts";
import { tempDir } from "../support/temp_dir.ts";
import { OWN_FILES, treeSnapshot } from "../support/tree_snapshot.ts";
import { threatName } from "./rows.ts";

const DOORS = "29200-29210";

interface Attacked extends AsyncDisposable {
  server: ServerProcess;
  /** Holds the home, and beside it what a path that climbs would hit. */
  root: string;
  outside: string;
}

async function attacked(): Promise<Attacked> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const home = join(dir.path, "home");
  const outside = join(dir.path, "outside");
  for (const folder of [home, outside, join(home, "folder")]) Deno.mkdirSync(folder);
  await writeTestModel(join(home, "mine.gguf"), { sentence: "Mine." });
  await writeTestModel(join(outside, "secret.gguf"), { sentence: "Secret." });
  Deno.writeTextFileSync(join(outside, "note"), "secret");
  const server = stack.use(await startServer({ home, doors: DOORS }));
  await allListed(server);
  const rest = stack.move();
  const { path: root } = dir;
  return { server, root, outside, [Symbol.asyncDispose]: () => rest.disposeAsync() };
}

function snapshot({ root }: Attacked): string[] {
  return treeSnapshot(root, { except: OWN_FILES });
}

/** 140 of them: the paths that lead to what is there, in all ways of writing them, and the usual ones. */
function hostileIds(outside: string): string[] {
  const secret = join(outside, "secret.gguf");
  return [
    ...[secret, secret.slice(0, -5), `/${secret}`, `file://${secret}`, `${secret}\0`, `.${secret}`],
    ...["../outside/secret", "../outside/secret.gguf", "folder/../../outside/secret", "./mine"],
    ...["..%2foutside%2fsecret", "%2e%2e/outside/secret", "..\\outside\\secret", "....//outside/x"],
    ...["..%252foutside%252fsecret", "..%c0%af..%c0%afoutside", "mine/../mine", "folder/../mine"],
    ...[
      "mine.gguf/",
      "mine.gguf\0",
      "mine/",
      "registry.db",
      "../home/registry.db",
      "blobs",
      "logs",
    ],
    ...[
      "hf.co/../outside/secret",
      "hf.co/org/../../outside:Q4",
      "mine:../../outside/secret",
      "mine:",
    ],
    ...HOSTILE_NAMES,
    ...fc.sample(hostileName(), { numRuns: 50, seed: 9 }),
    // Before a browser asks, it goes up where these stand: they are sent as they are, below.
  ].filter((name) => !["", ".", ".."].includes(name));
}

type Ask = (id: string) => [method: string, path: string, body?: unknown];

const asked = (id: string) => encodeURIComponent(id.toWellFormed());

/** Each route that takes a name and acts on it. */
const BY_NAME: readonly Ask[] = [
  (id) => ["DELETE", `/admin/models/${asked(id)}`],
  (id) => ["POST", `/admin/models/${asked(id)}/load`],
  (id) => ["POST", `/admin/models/${asked(id)}/pin`],
  (id) => ["GET", `/admin/models/${asked(id)}/settings`],
  (id) => ["PUT", `/admin/models/${asked(id)}/settings`, { pinned: true }],
  (id) => ["GET", `/admin/models/${asked(id)}/command`],
  (id) => ["GET", `/admin/models/${asked(id)}/log`],
  (id) => ["DELETE", `/admin/downloads/${asked(id)}`],
  (id) => ["DELETE", `/admin/keys/${asked(id)}`],
  (id) => ["GET", `/upstream/${asked(id)}/props`],
  (id) => ["POST", `/api/models/unload/${asked(id)}`],
  (id) => ["DELETE", "/api/delete", { model: id }],
  (id) => ["POST", "/api/show", { model: id }],
  (id) => ["POST", "/api/copy", { source: id, destination: "copy" }],
  (id) => ["POST", "/api/create", { model: "made", from: id, stream: false }],
  (
    id,
  ) => ["POST", "/v1/chat/completions", { model: id, messages: [{ role: "user", content: "x" }] }],
  (id) => ["POST", "/generate", { model_id: id, prompt: "x" }],
  (id) => ["POST", "/admin/import", { paths: [id] }],
  (id) => ["PUT", "/admin/models/mine/settings", { lora: [`${id}`] }],
  (id) => ["PUT", "/admin/models/mine/settings", { draft_model: id }],
];

async function ask(
  { url }: ServerProcess,
  [method, path, body]: ReturnType<Ask>,
): Promise<{ status: number; text: string }> {
  const answer = await fetch(url + path, {
    method,
    ...(body !== undefined && {
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    }),
  });
  return { status: answer.status, text: await answer.text() };
}

Deno.test(threatName(9, "140 hostile ids on 20 routes remove, make and read nothing"), async () => {
  await using target = await attacked();
  const { server, outside } = target;
  const before = snapshot(target);
  const ids = hostileIds(outside);
  ok(ids.length >= 140, `${ids.length}`);
  for (const id of ids) {
    await Promise.all(BY_NAME.map(async (route) => {
      const request = route(id);
      const { status, text } = await ask(server, request);
      ok(status >= 400 && status < 500, `${request.join(" ")}: ${status} ${text}`);
      ok(!/Secret\.|root:|SQLite/.test(text), `${request.join(" ")}: ${text}`);
    }));
  }
  // As it stands in a request line when no client has encoded it.
  for (
    const path of [
      "..",
      ".",
      "../../outside/secret",
      "..%2f..%2foutside%2fsecret",
      "%2e%2e/x",
      "..;/x",
    ]
  ) {
    const answer = await rawRequest(
      server.port,
      `DELETE /admin/models/${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`,
    );
    ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`);
  }
  deepEqual(snapshot(target), before);
  // What is a name takes its file away, and that one alone.
  equal((await ask(server, ["DELETE", "/admin/models/mine"])).status, 204);
  const gone = before.filter((line) => !snapshot(target).includes(line));
  deepEqual(gone.map((line) => line.split(" ")[0]), ["home/mine.gguf"]);
});

Deno.test(
  threatName(9, "100 hostile names for something new lie in the home or nowhere"),
  async () => {
    await using target = await attacked();
    const { server, outside } = target;
    const before = snapshot(target);
    const names = hostileIds(outside).slice(0, 100);
    const routes: Ask[] = [
      (name) => ["POST", "/api/copy", { source: "mine", destination: name }],
      (name) => ["POST", "/api/create", { model: name, from: "mine", stream: false }],
      (name) => ["PUT", "/admin/models/mine/settings", { aliases: [name] }],
    ];
    let refused = 0;
    for (const name of names) {
      for (const route of routes) {
        const { status } = await ask(server, route(name));
        if (status >= 400) refused++;
      }
    }
    ok(refused > 150, `${refused}`);
    // Some are names after all: they are models of this home, with their file directly in it.
    const added = snapshot(target).filter((line) => !before.includes(line));
    for (const line of added) ok(/^home\/[^/\\]+(?:\.gguf |\/$|\/[^/]+\.gguf )/.test(line), line);
    deepEqual(before.filter((line) => !snapshot(target).includes(line)), []);
  },
);

Deno.test(threatName(9, "50 hostile digests are 400, and nothing is written"), async () => {
  await using target = await attacked();
  const { server } = target;
  const before = snapshot(target);
  const hex = "0123456789abcdef".repeat(4);
  const bases = [
    ...["..", "../x", "../../x", "/etc/passwd", "C:\\x", "\\\\host\\share", "x:$DATA", "\0", "~"],
    ...[hex, `${hex}0`, hex.slice(1), `${hex.slice(0, 62)}/x`, `${hex.slice(0, 62)}\\x`, `${hex} `],
    ...[`${hex.slice(0, 63)}g`, `${hex.slice(0, 63)}\0`, `${hex}\n`, `${hex}/../x`, `../${hex}`],
    ...["\uFF10".repeat(64), "\u2215".repeat(64), "\uFF0E\uFF0E\uFF0Fx", "%2e%2e%2fx", "", " "],
  ];
  const digests = bases.flatMap((base) => [
    `sha256:${base}`,
    `sha256-${base}`,
    `sha1:${base}`,
    base,
  ]).filter((digest) => digest !== `sha256:${hex}` && digest !== `sha256-${hex}`);
  ok(digests.length >= 50);
  for (const digest of digests) {
    for (const method of ["HEAD", "POST"]) {
      const answer = await server.fetch(`/api/blobs/${encodeURIComponent(digest)}`, {
        method,
        ...(method === "POST" && { body: new Uint8Array(1_000) }),
      });
      const text = await answer.text();
      // What a browser makes a path of before it asks names no blob at all.
      const statuses = ["", ".."].includes(digest) ? [404, 405] : [400];
      ok(
        statuses.includes(answer.status),
        `${method} ${JSON.stringify(digest)}: ${answer.status} ${text}`,
      );
    }
    for (const field of ["files", "adapters"]) {
      const { status, text } = await ask(server, [
        "POST",
        "/api/create",
        { model: "made", [field]: { "a.gguf": digest }, stream: false },
      ]);
      ok(status >= 400 && status < 500 || status === 501, `${digest}: ${status} ${text}`);
    }
  }
  deepEqual(snapshot(target), before);
  // Letters of either case are one digest, and one file.
  const upper = `sha256:${hex.toUpperCase()}`;
  equal((await server.fetch(`/api/blobs/${upper}`, { method: "HEAD" })).status, 404);
});

/** Files that any system of this kind has. */
function existingPaths(count: number): string[] {
  const found: string[] = [];
  function look(folder: string): void {
    for (const { name, isFile, isDirectory } of Deno.readDirSync(folder)) {
      if (found.length >= count) return;
      if (isFile) found.push(join(folder, name));
      else if (isDirectory && folder === "/etc") look(join(folder, name));
    }
  }
  look("/etc");
  return found;
}

Deno.test(
  threatName(9, "200 paths outside are answered alike, whether something is there or not"),
  async () => {
    await using target = await attacked();
    const { server, outside } = target;
    const there = [
      join(outside, "secret.gguf"),
      join(outside, "note"),
      outside,
      ...existingPaths(97),
    ];
    equal(there.length, 100);
    const routes: Ask[] = [
      ...BY_NAME,
      (path) => ["POST", "/admin/downloads", { repo: "org/name", file: path }],
      (path) => ["GET", `/static/${asked(path)}`],
    ];
    const before = snapshot(target);
    for (const path of there) {
      const missing = `${path}-not-there`;
      await Promise.all(routes.map(async (route) => {
        const [one, other] = [await ask(server, route(path)), await ask(server, route(missing))];
        const plain = (text: string, name: string) =>
          [name, asked(name)].reduce((rest, form) => rest.replaceAll(form, "PATH"), text);
        deepEqual(
          [one.status, plain(one.text, path)],
          [other.status, plain(other.text, missing)],
          `${route(path).join(" ")}: ${one.text} ${other.text}`,
        );
        ok(one.status >= 400);
      }));
    }
    deepEqual(snapshot(target), before);
  },
);

// The page as the server sends it: what it is made of, packed, checked by the browser, and bound to
// this server alone. What it does in a browser is tests/browser/.

import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { get } from "node:http";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { PageAnswers } from "../src/gateway/page_answers.ts";
import { PAGE_FILES } from "../src/gateway/page_files.ts";
import { joinModules } from "../src/gateway/page_modules.ts";
import { startServer } from "./support/server_process.ts";

const ROOT = new URL("../", import.meta.url);
/** Of everything that a browser may ask for, compressed. */
const MOST_BYTES = 120_000;
const BROWSER = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

Deno.test("/ is the page for a browser, with a policy that lets nothing run but its own files", async () => {
  await using server = await startServer();
  const answer = await server.fetch("/", { headers: BROWSER });
  const page = await answer.text();
  match(answer.headers.get("content-type") ?? "", /^text\/html/);
  match(page, /<title>ZombieCoder Local AI<\/title>/);
  equal(answer.headers.get("x-content-type-options"), "nosniff");
  equal(answer.headers.get("referrer-policy"), "no-referrer");
  equal(answer.headers.get("cross-origin-opener-policy"), "same-origin");
  const policy = answer.headers.get("content-security-policy") ?? "";
  const rules = new Map(
    policy.split("; ").map((rule) => {
      const [name, ...sources] = rule.split(" ");
      return [name!, sources.join(" ")];
    }),
  );
  const [, map] = /<script type="importmap">([^]*?)<\/script>/.exec(page)!;
  const hash = createHash("sha256").update(map!).digest("base64");
  deepEqual(Object.fromEntries(rules), {
    "default-src": "'none'",
    "script-src": `'self' 'sha256-${hash}'`,
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
  });
  // What the policy would stop must not be in it.
  equal(page.match(/<script(?![^>]*(?:src=|type="importmap"))/g), null);
  equal(page.match(/\s(?:on\w+|style)=/g), null);
});

Deno.test("each address in the page, in its import map and in its modules leads to a file", async () => {
  const page = await PAGE_FILES["/"]!.load();
  const named = [...page.matchAll(/"(\/(?:static|lib)\/[^"]+)"/g)].map(([, address]) => address!);
  ok(named.length > 15, String(named.length));
  const map: Record<string, string> =
    JSON.parse(/<script type="importmap">([^]*?)<\/script>/.exec(page)![1]!).imports;
  const missing = named.filter((address) => !Object.hasOwn(PAGE_FILES, address));
  for (const [address, file] of Object.entries(PAGE_FILES)) {
    if (file.type !== "text/javascript" || address.startsWith("/lib/")) continue;
    for (const name of importsOf(await file.load())) {
      const target = name.startsWith("/") ? name : map[name];
      if (target === undefined || !Object.hasOwn(PAGE_FILES, target)) {
        missing.push(`${address}: ${name}`);
      }
    }
  }
  deepEqual(missing, []);
});

function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:^import [^"]*|\bimport\()"([^"]+)"/gm)].map(([, name]) => name!);
}

Deno.test("joinModules() keeps each module's names to itself, in the order in which they are needed", async () => {
  const joined = joinModules([
    {
      address: "/static/a.js",
      text:
        'import { b as other } from "./b.js";\nimport { c } from "./c.js";\n\n/** Adds. */\nconst own = 1;\nexport const a = own + other() + c;\n',
    },
    {
      address: "/static/b.js",
      text:
        '// Says.\n\nconst own = 10;\nexport function b() {\n  return own;\n}\nexport { c } from "./c.js";\n',
    },
    { address: "/static/c.js", text: "export const c = 100;\n" },
  ]);
  const module = await import(`data:text/javascript,${encodeURIComponent(joined)}`);
  equal(module.$a.a, 111);
  equal(module.$b.c, 100);
  equal(/Adds|Says/.test(joined), false);
  const refused = (text: string) => joinModules([{ address: "/static/a.js", text }]);
  throws(() => refused("export default 1;\n"), /cannot be joined/);
  throws(() => refused('import { b } from "./b.js";\n'), /not there/);
  throws(() => refused('import { a } from "./a.js";\n'), /needs itself/);
});

Deno.test("the page's joined modules are sound", async () => {
  for (const address of ["/static/app.js", "/static/views.js"]) {
    const text = await PAGE_FILES[address]!.load();
    ok(text.length > 20_000, address);
    // It is read, not run: the imports of a browser do not exist here.
    const code = text.replace(/^import [^;]*;$/gm, "").replace(/^export /gm, "");
    new Function(`return async () => {${code}}`);
  }
});

Deno.test("every file of static/ is in the table, and the other way round", () => {
  const source = Deno.readTextFileSync(new URL("src/gateway/page_files.ts", ROOT));
  const named = [...source.matchAll(/"\.\.\/\.\.\/(static\/[^"]+)"/g)].map(([, path]) => path!);
  // The documentation of the API is a page of its own.
  const there = filesBelow("static").filter((path) =>
    !path.startsWith("static/docs/") && path !== "static/deno.json"
  );
  deepEqual(named.toSorted(), there.toSorted());
  equal(new Set(named).size, named.length);
});

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}

Deno.test("each file is sent packed as the browser asks, and not again where it is known", async () => {
  await using server = await startServer();
  for (const [address, { type, load }] of Object.entries(PAGE_FILES)) {
    const text = await load();
    const ask = (headers: Record<string, string>) => askFor(server.url + address, headers);
    const plain = await ask({ "accept-encoding": "identity" });
    equal(plain.status, 200, address);
    equal(plain.body.toString(), text, address);
    equal(plain.headers["content-type"], `${type}; charset=utf-8`, address);
    equal(plain.headers["cache-control"], "no-cache", address);
    match(plain.headers.vary ?? "", /Accept-Encoding/, address);
    const small = await ask({ "accept-encoding": "gzip, deflate, br, zstd" });
    equal(small.headers["content-encoding"], "br", address);
    equal(brotliDecompressSync(small.body).toString(), text, address);
    const zipped = await ask({ "accept-encoding": "gzip, br;q=0" });
    equal(zipped.headers["content-encoding"], "gzip", address);
    equal(gunzipSync(zipped.body).toString(), text, address);
    const etag = small.headers.etag!;
    equal(zipped.headers.etag, etag, address);
    const known = await ask({ "if-none-match": etag, "accept-encoding": "br" });
    deepEqual([known.status, known.body.length], [304, 0], address);
    equal(known.headers.etag, etag, address);
  }
});

/** As it comes: fetch() would unpack it. */
function askFor(
  url: string,
  headers: Record<string, string>,
): Promise<{ status: number; headers: Record<string, string | undefined>; body: Buffer }> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false, headers: { ...BROWSER, ...headers } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () =>
        resolve({
          status: answer.statusCode!,
          headers: answer.headers as Record<string, string | undefined>,
          body: Buffer.concat(chunks),
        }));
      answer.on("error", reject);
    }).on("error", reject);
  });
}

Deno.test("the page with everything that it may ever load is small", async () => {
  using answers = new PageAnswers();
  const sizesNow = async () => {
    const sizes: [string, number][] = [];
    for (const address of Object.keys(PAGE_FILES)) {
      // Nobody loads both languages; the larger one counts.
      if (address === "/static/i18n/en.json") continue;
      const request = new Request(`http://page${address}`, {
        headers: { "accept-encoding": "br" },
      });
      const answer = await answers.answer(request, address);
      sizes.push([address, (await answer!.bytes()).length]);
    }
    return sizes;
  };
  const total = (sizes: [string, number][]) => sizes.reduce((sum, [, size]) => sum + size, 0);
  const first = total(await sizesNow());
  await answers.packWell();
  const sizes = await sizesNow();
  const largest = sizes.toSorted(([, a], [, b]) => b - a).slice(0, 12).map((each) =>
    each.join(" ")
  );
  ok(total(sizes) <= MOST_BYTES, `${total(sizes)} bytes: ${largest.join(", ")}`);
  ok(first > total(sizes) && first <= MOST_BYTES * 1.1, String(first));
});

Deno.test("the page needs no key, and what it shows does", async () => {
  await using server = await startServer({
    env: { ZOMBIE_API_KEY: "correct-horse-battery-staple" },
  });
  for (const address of ["/", "/static/app.js", "/static/i18n/bn.json", "/lib/preact.js"]) {
    const answer = await server.fetch(address, { headers: BROWSER });
    equal(answer.status, 200, address);
    await answer.body?.cancel();
  }
  for (const path of ["/admin/system", "/admin/events"]) {
    const answer = await server.fetch(path);
    equal(answer.status, 401, path);
    await answer.body?.cancel();
  }
});

Deno.test("what is no file of the page is not found, however it is written", async () => {
  await using server = await startServer();
  const paths = [
    ...["/static/", "/static/nothing.js", "/static/deno.json", "/static/docs/docs.js", "/lib/x.js"],
    ...[
      "/static/..%2fmain.ts",
      "/static/%2e%2e/main.ts",
      "/static/constructor",
      "/static/__proto__",
    ],
    ...["/lib/../static/app.js%00", "/static//app.js", "/static/app.js/"],
  ];
  for (const path of paths) {
    const { status, body } = await askFor(server.url + path, {});
    ok(status === 404 || status === 400, `${path}: ${status}`);
    equal(/import |deno/.test(body.toString()), false, path);
  }
  for (const method of ["POST", "PUT", "DELETE"]) {
    const answer = await server.fetch("/static/app.js", { method });
    equal(answer.status, 405, method);
    await answer.body?.cancel();
  }
  const head = await server.fetch("/static/app.js", { method: "HEAD" });
  equal(head.status, 200);
  equal(await head.text(), "");
});

Deno.test("a server that nobody looks at holds nothing of the page", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "src/server.ts"],
    cwd: ROOT,
  }).output();
  interface Dependency {
    specifier: string;
    isDynamic?: boolean;
    code?: { specifier: string };
  }
  const info: { roots: string[]; modules: { specifier: string; dependencies?: Dependency[] }[] } =
    JSON.parse(new TextDecoder().decode(stdout));
  const graph = new Map(info.modules.map((each) => [each.specifier, each.dependencies ?? []]));
  const loaded = new Set(info.roots);
  for (const specifier of loaded) {
    for (const { code, isDynamic } of graph.get(specifier) ?? []) {
      if (code !== undefined && isDynamic !== true) loaded.add(code.specifier);
    }
  }
  ok([...loaded].some((each) => each.endsWith("/src/gateway/page.ts")));
  const ofPage = /\/static\/|\/page_(?:files|answers)\.ts$|preact|htm[@/]|marked|dompurify|uplot/;
  deepEqual([...loaded].filter((each) => ofPage.test(each)), []);
});

// /openapi.json and /docs: every route is described, with who may ask, and the description is true.

import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import { accessOf } from "../src/gateway/access.ts";
import {
  documentPath,
  openapiDocument,
  ROUTE_DESCRIPTIONS,
} from "../src/gateway/openapi_document.ts";
import type { NewKeyRow } from "../src/api_types.ts";
import { appRoutes } from "./support/app_routes.ts";
import { post } from "./support/chat.ts";
import { openApiOf, operationsOf, pathOf } from "./support/openapi.ts";
import { startServer } from "./support/server_process.ts";

Deno.test("the document passes a public validator of OpenAPI", async () => {
  await using server = await startServer();
  const document = { ...await openApiOf(server) };
  const validator = new Validator();
  // It resolves references in the object itself.
  const { valid, errors } = await validator.validate(structuredClone(document));
  deepEqual([valid, errors], [true, undefined]);
  equal(validator.version, "3.1");
  // The check can fail.
  const broken = { ...document, paths: { "/x": { get: { responses: 7 } } } };
  equal((await new Validator().validate(broken)).valid, false);
});

Deno.test("every route of the app is in the document, and nothing else is", async () => {
  await using server = await startServer();
  const operations = operationsOf(await openApiOf(server));
  const described = operations.map(({ method, path }) => `${method} ${path}`).sort();
  const routes = appRoutes();
  ok(routes.length > 80, String(routes.length));
  const inApp = new Set(routes.map(({ method, path }) => `${method} ${documentPath(path)}`));
  for (const route of inApp) {
    const [method, path] = route.split(" ") as [string, string];
    const isThere = method === "ALL"
      ? described.some((each) => each.endsWith(` ${path}`))
      : described.includes(route);
    ok(isThere, `not described: ${route}`);
  }
  for (const each of described) {
    ok(inApp.has(each) || inApp.has(each.replace(/^\w+/, "ALL")), `no such route: ${each}`);
  }
});

Deno.test("each route asks for the key that the document says, by each form of it", async () => {
  await using server = await startServer();
  const owner: NewKeyRow = await (await post(server, "/admin/keys", {
    name: "owner",
    scope: "admin",
  })).json();
  const made = await server.fetch("/admin/keys", {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": owner.key },
    body: JSON.stringify({ name: "guest", scope: "use" }),
  });
  const guest: NewKeyRow = await made.json();
  const forms: Record<string, string>[] = [
    { authorization: `Bearer ${guest.key}` },
    { "x-api-key": guest.key },
    { authorization: `Basic ${btoa(`guest:${guest.key}`)}` },
  ];
  const operations = operationsOf(await openApiOf(server, forms[0]));
  const seen = { public: 0, use: 0, admin: 0 };
  for (const operation of operations) {
    const { method, security, scope } = operation;
    const path = pathOf(operation, { id: "nobody", model: "nobody" });
    const isPublic = security.length === 0;
    const said = isPublic ? "public" : scope as "use" | "admin";
    seen[said]++;
    if (!isPublic) {
      deepEqual(security.map((each) => Object.keys(each)[0]), ["bearer", "apiKey", "basic"]);
    }
    equal(await statusOf(path, method, {}) === 401, !isPublic, `${method} ${path} without a key`);
    for (const headers of forms) {
      const status = await statusOf(path, method, headers);
      ok(status !== 401 && status !== 429, `${method} ${path}: ${status}`);
      equal(status === 403, said === "admin", `${method} ${path} by ${Object.keys(headers)[0]}`);
    }
  }
  ok(seen.public >= 4 && seen.use >= 20 && seen.admin >= 30, JSON.stringify(seen));

  async function statusOf(path: string, method: string, headers: Record<string, string>) {
    const answer = await server.fetch(path, { method, headers });
    await answer.body?.cancel();
    return answer.status;
  }
});

Deno.test("openapiDocument() refuses a route without a description, and the other way round", () => {
  const routes = appRoutes();
  const options = { version: "1", routes, accessOf };
  throws(
    () => openapiDocument({ ...options, routes: [...routes, { method: "GET", path: "/new/:id" }] }),
    /Route without a description: GET \/new\/:id/,
  );
  throws(
    () => openapiDocument({ ...options, routes: routes.filter(({ path }) => path !== "/running") }),
    /Description without a route: GET \/running/,
  );
  const [first] = ROUTE_DESCRIPTIONS;
  throws(
    () => openapiDocument({ ...options, descriptions: [...ROUTE_DESCRIPTIONS, first!] }),
    /described twice/,
  );
});

Deno.test("/docs is made of files of this server, and its policy allows no others", async () => {
  await using server = await startServer({ env: { ZOMBIE_API_KEY: "correct-horse-battery" } });
  const page = await server.fetch("/docs");
  const html = await page.text();
  equal(page.status, 200);
  const policy = page.headers.get("content-security-policy")!;
  ok(!/unsafe|\*|https?:/.test(policy), policy);
  match(policy, /default-src 'none'.*script-src 'self'/);
  ok(!/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/i.test(html), "something is written inline");
  const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address!)
    .filter((address) => address !== "data:,");
  equal(files.length, 4);
  for (const address of files) {
    ok(address.startsWith("/docs/"), address);
    const file = await server.fetch(address);
    const text = await file.text();
    equal(file.status, 200, address);
    match(
      file.headers.get("content-type")!,
      address.endsWith(".css") ? /^text\/css/ : /^text\/javascript/,
    );
    equal(file.headers.get("x-content-type-options"), "nosniff");
    ok(text.length > 100);
    if (address.endsWith(".css")) ok(!/url\((?!\s*["']?data:)/.test(text), address);
  }
  for (const name of ["docs.css.map", "constructor", "..%2f..%2fdeno.json"]) {
    const answer = await server.fetch(`/docs/${name}`);
    await answer.body?.cancel();
    ok([400, 401, 404].includes(answer.status), name);
  }
});

Deno.test("nothing of the documentation is loaded before somebody asks", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "src/server.ts"],
    cwd: new URL("../", import.meta.url),
  }).output();
  const info: { roots: string[]; modules: Module[] } = JSON.parse(new TextDecoder().decode(stdout));
  const modules = new Map(info.modules.map((each) => [each.specifier, each]));
  const loaded = new Set<string>();
  const next = [...info.roots];
  for (let specifier = next.pop(); specifier !== undefined; specifier = next.pop()) {
    if (loaded.has(specifier)) continue;
    loaded.add(specifier);
    for (const { code, isDynamic } of modules.get(specifier)?.dependencies ?? []) {
      if (code?.specifier !== undefined && !isDynamic) next.push(code.specifier);
    }
  }
  ok([...loaded].some((each) => each.endsWith("/gateway/docs.ts")));
  const docs = [...loaded].filter((each) =>
    /describe_|_shapes|openapi|swagger|static\//.test(each)
  );
  deepEqual(docs, []);
});

interface Module {
  specifier: string;
  dependencies?: { code?: { specifier?: string }; isDynamic?: boolean }[];
}

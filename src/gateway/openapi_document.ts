// The OpenAPI document, made of the app's own routes: a route without its description, or a description
// without its route, is no document.

import type { Schema } from "../schema.ts";
import type { AccessOf } from "./access.ts";
import { ANSWER_ROUTES } from "./describe_answers.ts";
import { ADMIN_ROUTES } from "./describe_admin.ts";
import { OLLAMA_ROUTES } from "./describe_ollama.ts";
import { SERVER_ROUTES } from "./describe_server.ts";
import { type Dialect, dialectOf } from "./dialect.ts";
import { HUB_SHAPES } from "./hub_shapes.ts";
import { type Answer, type RouteDescription, TAGS } from "./route_description.ts";
import { ROW_SHAPES } from "./row_shapes.ts";
import { RUNTIME_SHAPES } from "./runtime_shapes.ts";
import { named, type Shape, TEXT } from "./shape.ts";

export const ROUTE_DESCRIPTIONS: readonly RouteDescription[] = [
  ...ANSWER_ROUTES,
  ...OLLAMA_ROUTES,
  ...ADMIN_ROUTES,
  ...SERVER_ROUTES,
];

/** A route as the app has it: Hono's path, `ALL` for every method. */
export interface AppRoute {
  method: string;
  path: string;
}

export interface DocumentOptions {
  version: string;
  routes: readonly AppRoute[];
  accessOf: AccessOf;
  descriptions?: readonly RouteDescription[];
}

type Json = Record<string, unknown>;

const ERROR_SHAPES: Readonly<Record<Dialect, { name: string; shape: Shape }>> = {
  openai: {
    name: "OpenAIError",
    shape: object({
      error: object({
        message: TEXT,
        type: TEXT,
        code: { type: ["string", "integer"] },
        values: { type: "object" },
        param: { type: ["string", "null"] },
      }, ["message", "type", "code"]),
    }),
  },
  ollama: { name: "OllamaError", shape: object({ error: TEXT }) },
  anthropic: {
    name: "AnthropicError",
    shape: object({ type: TEXT, error: object({ type: TEXT, message: TEXT }) }),
  },
};

const SECURITY_SCHEMES = {
  bearer: {
    type: "http",
    scheme: "bearer",
    description: "As clients of OpenAI and Ollama send it",
  },
  apiKey: { type: "apiKey", in: "header", name: "x-api-key", description: "As Anthropic's do" },
  basic: { type: "http", scheme: "basic", description: "The key as password, with any name" },
};

const ABOUT =
  "While the server has no API key, every program on its machine may ask. From the first " +
  "key on, each route needs one whose scope is `use` (answers of models and the lists of them) or " +
  "`admin` (everything), as it says in `x-scope`.";

/** Throws an Error that names what is missing. */
export function openapiDocument(options: DocumentOptions): Json {
  const { version, routes, accessOf, descriptions = ROUTE_DESCRIPTIONS } = options;
  checkComplete(routes, descriptions);
  const paths: Record<string, Json> = {};
  for (const description of descriptions) {
    const item = paths[description.path] ??= {};
    item[description.method.toLowerCase()] = operation(description, accessOf);
  }
  const shapes = { ...ROW_SHAPES, ...HUB_SHAPES, ...RUNTIME_SHAPES };
  return {
    openapi: "3.1.0",
    info: { title: "ZombieCoder Local AI", version, description: ABOUT, license: { name: "MIT" } },
    servers: [{ url: "/" }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: Object.fromEntries([
        ...Object.entries(shapes).map(([name, shape]) => [name, shown(shape)]),
        ...Object.values(ERROR_SHAPES).map(({ name, shape }) => [name, shape]),
      ]),
      securitySchemes: SECURITY_SCHEMES,
    },
  };
}

/** `/v1/models/:id{.+}` -> `/v1/models/{id}` */
export function documentPath(path: string): string {
  return path.replace(/:(\w+)(\{[^/]*\})?/g, "{$1}").replace(/\*$/, "{path}");
}

function checkComplete(
  routes: readonly AppRoute[],
  descriptions: readonly RouteDescription[],
): void {
  const described = new Set(descriptions.map(({ method, path }) => `${method} ${path}`));
  const describedPaths = new Set(descriptions.map(({ path }) => path));
  const there = new Set(routes.map(({ method, path }) => `${method} ${documentPath(path)}`));
  for (const { method, path } of routes) {
    const isDescribed = method === "ALL"
      ? describedPaths.has(documentPath(path))
      : described.has(`${method} ${documentPath(path)}`);
    if (!isDescribed) throw new Error(`Route without a description: ${method} ${path}`);
  }
  for (const { method, path } of descriptions) {
    if (there.has(`${method} ${path}`) || there.has(`ALL ${path}`)) continue;
    throw new Error(`Description without a route: ${method} ${path}`);
  }
  if (described.size < descriptions.length) throw new Error("A route is described twice");
}

function operation(description: RouteDescription, accessOf: AccessOf): Json {
  const { method, path, tag, summary, detail, query = {}, answers } = description;
  const access = accessOf(method, path);
  const dialect = dialectOf({ url: path, headers: new Headers() });
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    ...{ name, in: "path", required: true },
    schema: { type: "string" },
  }));
  const inQuery = Object.entries(query).map(([name, shape]) => {
    const { description, ...schema } = shown(shape);
    return { name, in: "query", schema, ...(description !== undefined && { description }) };
  });
  const parameters = [...inPath, ...inQuery];
  return {
    operationId: operationId(method, path),
    tags: [tag],
    summary,
    ...(detail !== undefined && { description: detail }),
    ...(access === "public" ? { security: [] } : {
      security: Object.keys(SECURITY_SCHEMES).map((name) => ({ [name]: [] })),
      "x-scope": access,
    }),
    ...(parameters.length > 0 && { parameters }),
    ...requestBody(description),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [status, response(answer)]),
      ),
      default: {
        description: "What went wrong, and what to do",
        content: { "application/json": { schema: named(ERROR_SHAPES[dialect].name) } },
      },
    },
  };
}

function requestBody({ body, otherBody }: RouteDescription): Json {
  const content = {
    ...(body !== undefined && {
      "application/json": { schema: shown(body), example: exampleOf(body) },
    }),
    ...Object.fromEntries(
      Object.entries(otherBody ?? {}).map(([type, shape]) => [type, { schema: shown(shape) }]),
    ),
  };
  if (Object.keys(content).length === 0) return {};
  return { requestBody: { required: (body?.required?.length ?? 0) > 0, content } };
}

/** A body that works as it is: what has an example, no more. */
function exampleOf({ properties = {} }: Schema): Json {
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, { examples }]) =>
      examples === undefined ? [] : [[name, examples[0]]]
    ),
  );
}

function response({ summary, content }: Answer): Json {
  if (content === undefined) return { description: summary };
  return {
    description: summary,
    content: Object.fromEntries(
      Object.entries(content).map(([type, shape]) => [type, { schema: shown(shape) }]),
    ),
  };
}

/** Without what is for our own messages; the words that are better than the keywords stay. */
function shown(shape: Shape): Json {
  const { wanted, ...rest } = shape as Json;
  const own: Json = {};
  for (const [key, value] of Object.entries(rest)) {
    if (key === "properties") {
      own[key] = Object.fromEntries(
        Object.entries(value as Json).map(([name, inner]) => [name, shown(inner as Shape)]),
      );
    } else if (key === "items" || (key === "additionalProperties" && typeof value === "object")) {
      own[key] = shown(value as Shape);
    } else {
      own[key] = value;
    }
  }
  if (typeof wanted === "string") own.description ??= wanted;
  return own;
}

/** `POST /admin/models/{id}/load` -> `post_admin_models_id_load` */
function operationId(method: string, path: string): string {
  const words = `${method}${path}`.toLowerCase().replace(/[^a-z0-9]+/g, "_");
  return words.replace(/_$/, "");
}

function object(properties: Record<string, Shape>, required = Object.keys(properties)): Shape {
  return { type: "object", properties, required };
}

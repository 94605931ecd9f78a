// The document of a server that runs, as its readers see it.

import type { ServerProcess } from "./server_process.ts";

export interface Operation {
  method: string;
  /** With `{name}` for what varies. */
  path: string;
  security: Record<string, string[]>[];
  scope: string | null;
  /** Schema of the JSON body, if there is one. */
  body: JsonSchema | null;
  /** Schemas of JSON answers by status. */
  answers: ReadonlyMap<string, JsonSchema>;
}

export interface JsonSchema {
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  enum?: unknown[];
  [keyword: string]: unknown;
}

export interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, RawOperation>>;
  components: { schemas: Record<string, JsonSchema> };
}

interface Content {
  content?: Record<string, { schema: JsonSchema }>;
}

interface RawOperation {
  security: Record<string, string[]>[];
  "x-scope"?: string;
  requestBody?: Content;
  responses: Record<string, Content>;
}

export function openApiOf(
  server: ServerProcess,
  headers: Record<string, string> = {},
): Promise<OpenApi> {
  return server.json("/openapi.json", { headers });
}

export function operationsOf({ paths }: OpenApi): Operation[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, raw]) => ({
      method: method.toUpperCase(),
      path,
      security: raw.security,
      scope: raw["x-scope"] ?? null,
      body: raw.requestBody?.content?.["application/json"]?.schema ?? null,
      answers: new Map(
        Object.entries(raw.responses).flatMap(([status, { content }]) => {
          const schema = content?.["application/json"]?.schema;
          return schema === undefined ? [] : [[status, schema] as const];
        }),
      ),
    }))
  );
}

/** A path that can be asked: `hello` or what is given for each name. */
export function pathOf({ path }: Operation, values: Record<string, string> = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "hello");
}

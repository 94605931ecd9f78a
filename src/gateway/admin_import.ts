// /admin/import: models that other programs keep on this computer, and taking them over in place.

import { Hono } from "@hono/hono";

import type { ErrorBody, ImportList, ImportRow } from "../api_types.ts";
import { AppError, type AppErrorData } from "../errors.ts";
import type { ImportCandidate } from "../models/import.ts";
import type { Schema } from "../schema.ts";
import { readChecked } from "./admin_json.ts";
import { errorBody } from "./error_response.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";

export type ImportParts = Pick<Parts, "config" | "fits" | "imports">;

const MOST_PATHS = 100;
const LONGEST_PATH = 4_096;

export const IMPORT_BODY = {
  type: "object",
  properties: {
    paths: {
      type: "array",
      items: { type: "string", minLength: 1, maxLength: LONGEST_PATH },
      minItems: 1,
      maxItems: MOST_PATHS,
      wanted: `a list of 1 to ${MOST_PATHS} paths, as GET /admin/import lists them`,
    },
  },
  required: ["paths"],
  additionalProperties: false,
} as const satisfies Schema;

export function importRoutes(parts: ImportParts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/import", async (c) => c.json(await list(parts)));
  routes.post("/admin/import", async (c) => {
    const { paths } = await readChecked(parts, c, IMPORT_BODY);
    const candidates = await parts.imports.register(paths);
    await parts.fits.upToDate();
    return c.json(candidates.map((candidate) => importRow(parts, candidate)), 201);
  });
  return routes;
}

async function list(parts: ImportParts): Promise<ImportList> {
  const { candidates, places } = await parts.imports.list();
  await parts.fits.upToDate();
  return {
    models: candidates.map((candidate) => importRow(parts, candidate)),
    places: places.map(({ root, found, error }) => ({
      ...root,
      found: found.length,
      error: error === null ? null : errorBody(error),
    })),
  };
}

function importRow(parts: ImportParts, candidate: ImportCandidate): ImportRow {
  const { found, id, imported, facts, error } = candidate;
  const mmprojBytes = found.projector?.sizeBytes ?? 0;
  const suits = facts === null || error !== null
    ? null
    : parts.fits.of(facts, { mmprojBytes, ...(imported && { id }) });
  return {
    program: found.program,
    name: found.name,
    path: found.parts[0]!.path,
    parts: found.parts.map((part) => part.path),
    projector: found.projector?.path ?? null,
    size_bytes: found.parts.reduce((sum, part) => sum + part.sizeBytes, mmprojBytes),
    id,
    imported,
    quantization: facts?.quantization ?? null,
    architecture: facts?.architecture ?? null,
    fit: suits?.fit ?? null,
    badge: suits?.badge ?? null,
    error: bodyOf(error),
  };
}

function bodyOf(error: AppErrorData | null): ErrorBody | null {
  return error === null ? null : errorBody(AppError.fromData(error));
}

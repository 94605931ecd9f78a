// /admin/import: models that other programs keep on this computer, and taking them over in place.

import { Hono } from "@hono/hono";

import type { ErrorBody, ImportList, ImportRow } from "../api_types.ts";
import { AppError, type AppErrorData } from "../errors.ts";
import type { ImportCandidate } from "../models/import.ts";
import { readOptions } from "./admin_json.ts";
import { errorBody } from "./error_response.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";

export type ImportParts = Pick<Parts, "config" | "fits" | "imports">;

const MOST_PATHS = 100;
const LONGEST_PATH = 4_096;

export function importRoutes(parts: ImportParts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/import", async (c) => c.json(await list(parts)));
  routes.post("/admin/import", async (c) => {
    const { paths } = await readOptions(parts, c, { fields: ["paths"] });
    const candidates = await parts.imports.register(checkPaths(paths));
    return c.json(candidates.map((candidate) => importRow(parts, candidate)), 201);
  });
  return routes;
}

async function list(parts: ImportParts): Promise<ImportList> {
  const { candidates, places } = await parts.imports.list();
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

function checkPaths(paths: unknown): string[] {
  const isList = Array.isArray(paths) && paths.length > 0 && paths.length <= MOST_PATHS &&
    paths.every((path) => typeof path === "string" && path !== "" && path.length <= LONGEST_PATH);
  if (isList) return paths;
  throw new AppError(
    "invalid_request",
    `Cannot import without paths: set "paths" to a list of 1 to ${MOST_PATHS} paths, as GET /admin/import lists them`,
    { param: "paths" },
  );
}

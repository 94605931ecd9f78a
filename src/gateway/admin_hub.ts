// /admin/hub: what the Hub has, and what of it suits this computer, before anything is downloaded.

import { type Context, Hono } from "@hono/hono";

import type { Capability, HubModel, HubRepo, HubRepoRow } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { Hub, HubRepoSummary } from "../models/hub.ts";
import type { HubRepos, KnownRepo } from "../models/hub_repos.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { type InstalledModel, InstalledModels } from "./installed_models.ts";
import type { Parts } from "./parts.ts";

export interface HubParts extends Pick<Parts, "hardware" | "host"> {
  library: { list(): readonly InstalledModel[] };
  fits: Pick<Parts["fits"], "of">;
  hub: Pick<Hub, "search">;
  hubRepos: Pick<HubRepos, "get">;
}

const LONGEST_QUERY = 200;
const LONGEST_CURSOR = 4000;

export function hubRoutes(parts: HubParts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/hub/search", async (c) => {
    const { rows, cursor } = await parts.hub.search(queryOf(c, "q", LONGEST_QUERY) ?? "", {
      cursor: queryOf(c, "cursor", LONGEST_CURSOR),
      signal: c.req.raw.signal,
    });
    return c.json({ repos: rows.map(rowOf), cursor });
  });
  routes.get("/admin/hub/repos/:org/:name", async (c) => {
    const name = `${c.req.param("org")}/${c.req.param("name")}`;
    const revision = queryOf(c, "revision", LONGEST_QUERY) ?? undefined;
    const known = await parts.hubRepos.get(name, revision);
    // Readings come by themselves only while someone watches.
    parts.hardware.update(await parts.host.call("reading", { disk: false }));
    return c.json(repoOf(parts, known));
  });
  return routes;
}

function queryOf(c: Context<GatewayEnv>, name: string, longest: number): string | null {
  const value = c.req.query(name) ?? "";
  if (value.length > longest) {
    throw new AppError(
      "invalid_request",
      `Cannot use "${name}": it is longer than ${longest} characters. Send a shorter one`,
      { param: name },
    );
  }
  return value === "" ? null : value;
}

function repoOf(parts: HubParts, { info, models, fetchedAt, isOffline }: KnownRepo): HubRepo {
  const installed = new InstalledModels(parts.library.list());
  const rows = models.map(({ files, facts }): HubModel => {
    const { file, id, quantization, projector } = files;
    const options = { mmprojBytes: projector?.sizeBytes ?? 0 };
    const answer = facts === null ? null : parts.fits.of(facts, options);
    return {
      file,
      id,
      quantization: quantization ?? facts?.quantization ?? null,
      size_bytes: files.sizeBytes,
      parts: files.parts.length,
      projector: projector?.path ?? null,
      installed: installed.has({ repo: info.repo, file, id }),
      fit: answer?.fit ?? null,
      badge: answer?.badge ?? null,
    };
  });
  const facts = models.find((model) => model.facts !== null)?.facts ?? null;
  const hasProjector = models.some(({ files }) => files.projector !== null);
  return {
    ...rowOf(info),
    // The header knows better than the page.
    ...(facts !== null && {
      architecture: facts.architecture,
      context_length: facts.contextLength,
      capabilities: capabilitiesOf(facts.capabilities, { info, hasProjector }),
    }),
    commit: info.commit,
    models: rows,
    fetched_at: fetchedAt,
    offline: isOffline,
  };
}

/** What a projector adds is not in the model's own header. */
function capabilitiesOf(
  own: readonly Capability[],
  { info, hasProjector }: { info: HubRepoSummary; hasProjector: boolean },
): Capability[] {
  if (!hasProjector) return [...own];
  const added = info.capabilities.includes("audio") ? "audio" : "vision";
  return [...new Set([...own, added as Capability])];
}

function rowOf(info: HubRepoSummary): HubRepoRow {
  return {
    repo: info.repo,
    downloads: info.downloads,
    likes: info.likes,
    updated_at: info.updatedAt,
    gated: info.gated,
    license: info.license,
    parameters: info.parameters,
    architecture: info.architecture,
    context_length: info.contextLength,
    capabilities: info.capabilities,
    languages: info.languages,
  };
}

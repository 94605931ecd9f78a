// GET /admin/catalogue: the models that we recommend from, each with what this computer can do with it.

import { basename } from "node:path";
import { Hono } from "@hono/hono";

import type { Catalogue } from "../models/catalogue.ts";
import { CatalogueFacts } from "../models/catalogue_facts.ts";
import type { CatalogueRefresh } from "../models/catalogue_refresh.ts";
import type { Model } from "../models/model.ts";
import { catalogueRows } from "./catalogue_rows.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";

export interface CatalogueParts extends Pick<Parts, "hardware" | "host"> {
  library: { list(): readonly InstalledModel[] };
  fits: Pick<Parts["fits"], "of">;
  catalogue: Pick<Catalogue, "entries">;
  catalogueRefresh: Pick<CatalogueRefresh, "soon">;
}

type InstalledModel = Pick<Model, "id" | "path" | "repo" | "builtin" | "isMissing">;

export function catalogueRoutes(parts: CatalogueParts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  const facts = new CatalogueFacts();
  routes.get("/admin/catalogue", async (c) => {
    const entries = await parts.catalogue.entries();
    // Readings come by themselves only while someone watches.
    parts.hardware.update(await parts.host.call("reading", { disk: false }));
    const installed = new Installed(parts.library.list());
    const rows = catalogueRows(entries, {
      factsOf: (entry, file) => facts.of(entry, file),
      fitOf: (of, options) => parts.fits.of(of, options),
      isInstalled: (model) => installed.has(model),
    });
    parts.catalogueRefresh.soon();
    return c.json(rows);
  });
  return routes;
}

/** By ID, or as this file of this repository under another ID. */
class Installed {
  readonly #ids = new Set<string>();
  readonly #files = new Set<string>();

  constructor(models: readonly InstalledModel[]) {
    for (const { id, path, repo, builtin, isMissing } of models) {
      if (builtin || isMissing) continue;
      this.#ids.add(id);
      if (repo !== null) this.#files.add(`${repo}/${basename(path)}`);
    }
  }

  has({ repo, file, id }: { repo: string; file: string; id: string }): boolean {
    return this.#ids.has(id) || this.#files.has(`${repo}/${file}`);
  }
}

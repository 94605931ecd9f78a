// GET /admin/catalogue: the models that we recommend from, each with what this computer can do with it.

import { Hono } from "@hono/hono";

import type { Catalogue } from "../models/catalogue.ts";
import { CatalogueFacts } from "../models/catalogue_facts.ts";
import type { CatalogueRefresh } from "../models/catalogue_refresh.ts";
import { catalogueRows } from "./catalogue_rows.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { type InstalledModel, InstalledModels } from "./installed_models.ts";
import type { Parts } from "./parts.ts";

export interface CatalogueParts extends Pick<Parts, "hardware" | "host"> {
  library: { list(): readonly InstalledModel[] };
  fits: Pick<Parts["fits"], "of">;
  catalogue: Pick<Catalogue, "entries">;
  catalogueRefresh: Pick<CatalogueRefresh, "soon">;
}

export function catalogueRoutes(parts: CatalogueParts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  const facts = new CatalogueFacts();
  routes.get("/admin/catalogue", async (c) => {
    const entries = await parts.catalogue.entries();
    // Readings come by themselves only while someone watches.
    parts.hardware.update(await parts.host.call("reading", { disk: false }));
    const installed = new InstalledModels(parts.library.list());
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

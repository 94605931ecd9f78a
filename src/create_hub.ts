// Ties together what asks the Hub: its client, what is known of its repositories, the catalogue.

import type { Config } from "./config_type.ts";
import type { Log } from "./log.ts";
import { Catalogue } from "./models/catalogue.ts";
import { CatalogueRefresh } from "./models/catalogue_refresh.ts";
import { Hub } from "./models/hub.ts";
import { HubRepos } from "./models/hub_repos.ts";

export interface HubParts {
  hub: Hub;
  hubRepos: HubRepos;
  catalogue: Catalogue;
  catalogueRefresh: CatalogueRefresh;
}

/** All of it asks and reads nothing before it is used; the stack ends it. */
export function createHub(
  config: Config,
  { log, stack }: { log: Log; stack: AsyncDisposableStack },
): HubParts {
  const hub = stack.use(
    new Hub({
      endpoint: config.hfEndpoint,
      token: config.hfToken,
      downloadHosts: config.downloadHosts,
      log: log.for("hub"),
    }),
  );
  const catalogue = stack.use(new Catalogue({ home: config.home, log: log.for("catalogue") }));
  const catalogueRefresh = stack.use(
    new CatalogueRefresh({ catalogue, hub, log: log.for("catalogue") }),
  );
  const hubRepos = stack.use(new HubRepos({ hub, cache: catalogue, log: log.for("hub") }));
  return { hub, hubRepos, catalogue, catalogueRefresh };
}

// All that the gateway's routes work with, made by `server.ts` and passed in.

import type { CageInfo, RuntimeInfo, ScopeInfo } from "../api_types.ts";
import type { Config } from "../config.ts";
import type { Hardware } from "../hardware/hardware.ts";
import type { Log } from "../log.ts";
import type { Catalogue } from "../models/catalogue.ts";
import type { CatalogueRefresh } from "../models/catalogue_refresh.ts";
import type { Downloads } from "../models/downloads.ts";
import type { Hub } from "../models/hub.ts";
import type { HubRepos } from "../models/hub_repos.ts";
import type { Imports } from "../models/import.ts";
import type { Library } from "../models/library.ts";
import type { Registry } from "../models/registry.ts";
import type { Orchestrator } from "../orchestrator/orchestrator.ts";
import type { HostPort } from "../runtime/host_port.ts";
import type { ApiKeys } from "./api_keys.ts";
import type { Departures } from "./departures.ts";
import type { Events } from "./events.ts";
import type { Fits } from "./fits.ts";
import type { LogTail } from "./log_tail.ts";
import type { Metrics } from "./metrics.ts";
import type { Requests } from "./requests.ts";
import type { Speeds } from "./speeds.ts";

export interface Parts {
  /** The settings as they are now: PUT /admin/settings replaces them. */
  config(): Config;
  setConfig(config: Config): void;
  version: string;
  /** This start of the system, as the host names it; "" where unknown. */
  boot: string;
  /** Port on which the gateway listens; the guard compares it with `Host`. */
  port(): number;
  log: Log;
  /** The server's own last lines. */
  logTail: LogTail;
  host: HostPort;
  /** What this process may do, as the host gave it. */
  scope: Pick<ScopeInfo, "permissions" | "missing">;
  hardware: Hardware;
  fits: Fits;
  speeds: Pick<Speeds, "answered">;
  library: Library;
  imports: Imports;
  hub: Hub;
  hubRepos: HubRepos;
  catalogue: Catalogue;
  catalogueRefresh: CatalogueRefresh;
  downloads: Downloads;
  registry: Registry;
  keys: ApiKeys;
  orchestrator: Orchestrator;
  runtime(): RuntimeInfo;
  cage(): CageInfo;
  events: Events;
  requests: Requests;
  metrics: Metrics;
  departures: Departures;
}

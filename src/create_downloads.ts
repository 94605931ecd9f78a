// Ties the downloads to what they need and to whom they tell: settings, the Hub, the library, events.

import type { ServerEvent } from "./api_types.ts";
import type { Config } from "./config_type.ts";
import type { Log } from "./log.ts";
import { Downloads } from "./models/downloads.ts";
import type { DownloadSource } from "./models/download_source.ts";
import type { Library } from "./models/library.ts";
import type { Registry } from "./models/registry.ts";

export interface CreateDownloadsOptions {
  config: () => Config;
  boot: string;
  hub: DownloadSource;
  registry: Pick<Registry, "downloads">;
  library: Library;
  /** On the disk of the home; null where the system does not say. */
  freeBytes(): Promise<number | null>;
  emit(event: ServerEvent): void;
  log: Log;
}

/** Nothing is fetched before `start()`. */
export function createDownloads(options: CreateDownloadsOptions): Downloads {
  const { config, boot, hub, registry, library, log } = options;
  return new Downloads({
    home: config().home,
    source: hub,
    registry: registry.downloads,
    boot,
    log: log.for("downloads"),
    settings: () => ({
      stallMs: config().downloadStallMs,
      bytesPerSecondLimit: config().downloadLimit,
    }),
    freeBytes: () => options.freeBytes(),
    installed: (id) =>
      library.list().find((model) =>
        !model.builtin && model.id.toLowerCase() === id.toLowerCase()
      ) ?? null,
    onChange: (data) => options.emit({ type: "download", data }),
    onFinished: async ({ id, repo }) => {
      await library.rescan();
      library.recordRepo(id, repo);
    },
  });
}

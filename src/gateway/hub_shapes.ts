// Rows of /admin about models that are not here yet: catalogue, Hub, downloads, other programs'. For
// /openapi.json.

import type {
  CatalogueRow,
  DownloadList,
  DownloadRow,
  HubModel,
  HubRepo,
  HubRepoRow,
  ImportList,
  ImportRow,
} from "../api_types.ts";
import { CAPABILITY } from "./row_shapes.ts";
import {
  COUNT,
  described,
  FLAG,
  listOf,
  named,
  orNull,
  type Shape,
  shapeOf,
  TEXT,
  TIME,
  word,
} from "./shape.ts";

const HUB_MODEL = shapeOf<HubModel>({
  file: described(TEXT, "To ask for; of a split model its first part"),
  id: described(TEXT, "Name that it would have here"),
  quantization: orNull(TEXT),
  size_bytes: COUNT,
  parts: COUNT,
  projector: orNull(TEXT),
  installed: FLAG,
  fit: orNull(named("Fit")),
  badge: orNull(named("Badge")),
});

const REPO_FIELDS: Readonly<Record<keyof HubRepoRow, Shape>> = {
  repo: TEXT,
  downloads: orNull(COUNT),
  likes: orNull(COUNT),
  updated_at: orNull(TEXT),
  gated: { enum: [false, "auto", "manual"], description: "Who opens it: at once, or its owner" },
  license: orNull(TEXT),
  parameters: orNull(COUNT),
  architecture: orNull(TEXT),
  context_length: orNull(COUNT),
  capabilities: listOf(CAPABILITY),
  languages: listOf(TEXT),
};

const HUB_REPO = shapeOf<HubRepo>({
  ...REPO_FIELDS,
  commit: TEXT,
  models: listOf(named("HubModel")),
  fetched_at: TIME,
  offline: described(FLAG, "The Hub could not be reached: this is what it said before"),
});

const CATALOGUE_ROW = shapeOf<CatalogueRow>({
  id: TEXT,
  name: TEXT,
  roles: listOf(word("chat", "code", "vision", "embedding", "rerank")),
  parameters: COUNT,
  active_parameters: orNull(COUNT),
  context_length: orNull(COUNT),
  languages: listOf(TEXT),
  license: TEXT,
  gated: FLAG,
  repo: TEXT,
  files: listOf(named("HubModel")),
  choice: described(orNull(COUNT), "Which of the files to take on this computer"),
  fit: orNull(named("Fit")),
  badge: orNull(named("Badge")),
  best: described(FLAG, "The largest recommended one of its role"),
  source: word("builtin", "user"),
  installed: FLAG,
});

const DOWNLOAD_ROW = shapeOf<DownloadRow>({
  id: TEXT,
  repo: TEXT,
  revision: TEXT,
  commit: orNull(TEXT),
  file: TEXT,
  model: orNull(TEXT),
  state: word("queued", "downloading", "verifying", "waiting", "paused", "failed", "done"),
  position: described(COUNT, "Place in the queue, from 0"),
  bytes_total: orNull(COUNT),
  bytes_done: COUNT,
  bytes_per_second: COUNT,
  seconds_left: orNull(COUNT),
  files: listOf(shapeOf<DownloadRow["files"][number]>({
    path: TEXT,
    bytes_total: COUNT,
    bytes_done: COUNT,
    verified: FLAG,
  })),
  error: orNull(named("Error")),
  retry_at: orNull(TIME),
  created_at: TIME,
});

const IMPORT_ROW = shapeOf<ImportRow>({
  program: TEXT,
  name: TEXT,
  path: TEXT,
  parts: listOf(TEXT),
  projector: orNull(TEXT),
  size_bytes: COUNT,
  id: TEXT,
  imported: FLAG,
  quantization: orNull(TEXT),
  architecture: orNull(TEXT),
  fit: orNull(named("Fit")),
  badge: orNull(named("Badge")),
  error: orNull(named("Error")),
});

const IMPORT_LIST = shapeOf<ImportList>({
  models: listOf(named("ImportRow")),
  places: listOf(shapeOf<ImportList["places"][number]>({
    program: TEXT,
    path: TEXT,
    found: COUNT,
    error: orNull(named("Error")),
  })),
});

/** By their names among the components. */
export const HUB_SHAPES = {
  HubModel: HUB_MODEL,
  HubRepoRow: shapeOf<HubRepoRow>(REPO_FIELDS),
  HubRepo: HUB_REPO,
  CatalogueRow: CATALOGUE_ROW,
  Download: DOWNLOAD_ROW,
  DownloadList: shapeOf<DownloadList>({
    bytes_per_second_limit: described(COUNT, "0 = no limit"),
    downloads: listOf(named("Download")),
  }),
  ImportRow: IMPORT_ROW,
  ImportList: IMPORT_LIST,
} as const satisfies Record<string, Shape>;

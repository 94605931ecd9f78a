// Rows of /admin about models, this machine, requests, settings and keys, for /openapi.json.

import type {
  Badge,
  ConnectAnswer,
  ConnectTextRow,
  CpuInfo,
  ErrorBody,
  Fit,
  GenerateAnswer,
  GpuInfo,
  KeyRow,
  MemoryInfo,
  MissingRight,
  ModelRow,
  NewKeyRow,
  OsInfo,
  RequestRow,
  RuntimeInfo,
  ScopeInfo,
  ServerPermissions,
  SettingRow,
  SystemInfo,
} from "../api_types.ts";
import { MODEL_SETTINGS } from "../models/model_settings.ts";
import { RUNTIME_DEVICE } from "./runtime_shapes.ts";
import {
  ANYTHING,
  COUNT,
  described,
  FLAG,
  listOf,
  named,
  NUMBER,
  orNull,
  type Shape,
  shapeOf,
  TEXT,
  TIME,
  word,
} from "./shape.ts";

export const CAPABILITY: Shape = word(
  ...["chat", "completion", "embedding", "rerank", "vision", "audio", "tools", "thinking"],
);

const BADGE = shapeOf<Badge>({
  level: word("recommended", "compatible", "not_recommended"),
  code: word(
    ...["fits", "slow", "short_context", "needs_unload", "memory_in_use", "too_large"],
    "unusable",
  ),
  values: described({ type: "object" }, "The numbers behind the reason, for translation"),
  reason: described(TEXT, "One plain English sentence"),
});

const FIT = shapeOf<Fit>({
  weights_bytes: COUNT,
  kv_bytes: COUNT,
  compute_bytes: COUNT,
  total_bytes: COUNT,
  ram_bytes: COUNT,
  vram_bytes: COUNT,
  context: described(COUNT, "Tokens that one slot can hold"),
  gpu_layers: COUNT,
  tokens_per_second: described(orNull(NUMBER), "While answering; null = not known"),
});

const ERROR_BODY = shapeOf<ErrorBody>({
  message: TEXT,
  code: described(TEXT, "What a program may branch on"),
  values: described({ type: "object" }, "The facts behind the message"),
});

const MODEL_ROW = shapeOf<ModelRow>({
  id: TEXT,
  builtin: FLAG,
  aliases: listOf(TEXT),
  size_bytes: COUNT,
  quantization: orNull(TEXT),
  architecture: orNull(TEXT),
  context_length: orNull(COUNT),
  capabilities: listOf(CAPABILITY),
  source: word("home", "folder", "import", "builtin"),
  state: word("stopped", "loading", "ready", "stopping", "failed", "missing"),
  progress: described(orNull(NUMBER), "0 to 1 while loading and known"),
  port: described(orNull(COUNT), "The model's own, while it has one"),
  pid: orNull(COUNT),
  memory_bytes: orNull(COUNT),
  leases: described(COUNT, "Requests that it works on"),
  queued: described(COUNT, "Requests that wait for their turn"),
  keep_alive_ms: described(NUMBER, "-1 = for ever"),
  expires_at: described(orNull(TIME), "When it will be unloaded, if nobody uses it"),
  pinned: FLAG,
  badge: orNull(named("Badge")),
  fit: orNull(named("Fit")),
  error: orNull(shapeOf<NonNullable<ModelRow["error"]>>({
    message: TEXT,
    code: TEXT,
    values: { type: "object" },
    log: described(listOf(TEXT), "The last lines of its process"),
  })),
});

const CPU = shapeOf<CpuInfo>({
  model: orNull(TEXT),
  physical_cores: orNull(COUNT),
  logical_cores: orNull(COUNT),
  features: listOf(TEXT),
  usage: described(orNull(NUMBER), "0 to 1"),
});

const MEMORY = shapeOf<MemoryInfo & { models_bytes: number; budget_bytes: number | null }>({
  total_bytes: orNull(COUNT),
  available_bytes: orNull(COUNT),
  models_bytes: COUNT,
  budget_bytes: described(orNull(COUNT), "What all models together may take"),
});

const GPU = shapeOf<GpuInfo>({
  name: orNull(TEXT),
  vendor: orNull(word("nvidia", "amd", "intel", "apple", "other")),
  vram_total_bytes: orNull(COUNT),
  vram_free_bytes: orNull(COUNT),
  unified: orNull(FLAG),
});

const OS = shapeOf<OsInfo>({
  family: TEXT,
  name: orNull(TEXT),
  arch: TEXT,
  kernel: orNull(TEXT),
  container: orNull(FLAG),
});

const RUNTIME = shapeOf<RuntimeInfo>({
  phase: word("unknown", "looking", "installing", "ready", "failed"),
  build: orNull(COUNT),
  version: orNull(TEXT),
  source: orNull(word("flag", "bundled", "installed", "path")),
  devices: listOf(RUNTIME_DEVICE),
  activity: orNull(TEXT),
  progress: orNull(NUMBER),
  error: orNull(named("Error")),
});

const CAGE = shapeOf<SystemInfo["cage"]>({
  mode: TEXT,
  active: orNull(TEXT),
  reason: orNull(TEXT),
});

const NEVER = described(FLAG, "Always false");

const SCOPE = shapeOf<ScopeInfo>({
  permissions: shapeOf<ServerPermissions>({
    read: listOf(TEXT),
    write: listOf(TEXT),
    net: listOf(TEXT),
    run: NEVER,
    env: NEVER,
    ffi: NEVER,
    import: NEVER,
    sys: NEVER,
  }),
  missing: listOf(shapeOf<MissingRight>({
    permission: described(TEXT, "As Deno names it, and what for"),
    costs: shapeOf<MissingRight["costs"]>({
      code: described(TEXT, "What a program may branch on"),
      message: TEXT,
    }),
  })),
  runtime_home: described(TEXT, "Where the host keeps llama.cpp; the server may not write there"),
  cage: CAGE,
});

const SYSTEM = shapeOf<SystemInfo>({
  cpu: CPU,
  memory: MEMORY,
  gpus: listOf(GPU),
  disk: shapeOf<SystemInfo["disk"]>({ free_bytes: orNull(COUNT) }),
  os: orNull(OS),
  runtime: RUNTIME,
  cage: CAGE,
  version: TEXT,
});

const REQUEST_ROW = shapeOf<RequestRow>({
  id: TEXT,
  model: orNull(TEXT),
  route: TEXT,
  state: word("queued", "answering", "done", "failed", "cancelled"),
  status: orNull(COUNT),
  stream: FLAG,
  started_at: TIME,
  wait_ms: orNull(NUMBER),
  first_byte_ms: orNull(NUMBER),
  total_ms: orNull(NUMBER),
  prompt_tokens: orNull(COUNT),
  completion_tokens: orNull(COUNT),
  error: orNull(TEXT),
});

const SETTING_ROW = shapeOf<SettingRow>({
  name: TEXT,
  value: ANYTHING,
  source: word("flag", "environment", "config.json", "default"),
  locked: described(FLAG, "Read from flag and environment only"),
  flag: orNull(TEXT),
  environment: orNull(TEXT),
});

const KEY_FIELDS: Readonly<Record<keyof KeyRow, Shape>> = {
  id: TEXT,
  name: TEXT,
  scope: word("use", "admin"),
  source: described(word("made", "start"), "`start`: of --api-key-file or ZOMBIE_API_KEY"),
  created_at: orNull(TIME),
  last_used_at: orNull(TIME),
};

const NEW_KEY_ROW = shapeOf<NewKeyRow>({
  ...KEY_FIELDS,
  key: described(TEXT, "Shown in this answer only"),
});

const CONNECT = shapeOf<ConnectAnswer>({
  address: TEXT,
  model: TEXT,
  needs_key: FLAG,
  key_place: described(TEXT, "What stands where the user's own key goes"),
  tools: listOf(shapeOf<ConnectTextRow>({
    name: TEXT,
    title: TEXT,
    where: TEXT,
    note: orNull(TEXT),
    sends_key: described(FLAG, "False: it works only with a server that wants none"),
    key_in: described(word("text", "json", "shell"), "How a key must be written in its place"),
    text: TEXT,
  })),
});

const SETTINGS_ANSWER: Shape = {
  ...MODEL_SETTINGS,
  properties: { ...MODEL_SETTINGS.properties, applies: word("now", "next load") },
};

const GENERATE_ANSWER = shapeOf<GenerateAnswer>({
  model_id: TEXT,
  response: TEXT,
  done: FLAG,
  done_reason: orNull(TEXT),
  port: described(orNull(COUNT), "The model's own port"),
  load_ms: described(NUMBER, "How long this request waited for a load"),
  prompt_tokens: orNull(COUNT),
  completion_tokens: orNull(COUNT),
});

/** By their names among the components. */
export const ROW_SHAPES = {
  Badge: BADGE,
  Fit: FIT,
  Error: ERROR_BODY,
  Model: MODEL_ROW,
  ModelSettings: MODEL_SETTINGS,
  ModelSettingsAnswer: SETTINGS_ANSWER,
  System: SYSTEM,
  Scope: SCOPE,
  Request: REQUEST_ROW,
  Setting: SETTING_ROW,
  Connect: CONNECT,
  Key: shapeOf<KeyRow>(KEY_FIELDS),
  NewKey: NEW_KEY_ROW,
  GenerateAnswer: GENERATE_ANSWER,
} as const satisfies Record<string, Shape>;

// JSON shapes that the admin API, the command line and the page share. Types only.

/** The words of a model's state, everywhere the same. SQLite and the page write them capitalised. */
export type ModelState = "stopped" | "loading" | "ready" | "stopping" | "failed" | "missing";

export type Capability =
  | "chat"
  | "completion"
  | "embedding"
  | "rerank"
  | "vision"
  | "audio"
  | "tools"
  | "thinking";

export interface CpuInfo {
  model: string | null;
  physical_cores: number | null;
  logical_cores: number | null;
  /** Instruction sets that llama.cpp can use, such as `avx2`. */
  features: string[];
  /** 0 to 1 over all cores since the reading before; null at the first reading. */
  usage: number | null;
}

export interface MemoryInfo {
  /** What this process may use: RAM or the cgroup's limit, whichever is less. */
  total_bytes: number | null;
  available_bytes: number | null;
}

export interface GpuInfo {
  name: string | null;
  vendor: "nvidia" | "amd" | "intel" | "apple" | "other" | null;
  vram_total_bytes: number | null;
  vram_free_bytes: number | null;
  /** True where the GPU shares the system's RAM: its memory is never added to RAM. */
  unified: boolean | null;
}

/** What the host alone can know; unknown is null, never invented. */
export interface HostReading {
  cpu: CpuInfo;
  memory: MemoryInfo;
  gpus: GpuInfo[];
  os: OsInfo;
  /** CPU time that the cgroup grants, in cores; null without a limit. */
  cpu_quota_cores: number | null;
  /** What may still be written where the models lie; null where it was not asked for. */
  disk_free_bytes: number | null;
}

export interface OsInfo {
  /** `linux`, `darwin`, `windows`. */
  family: string;
  /** `Debian GNU/Linux 12 (bookworm)` */
  name: string | null;
  /** `x86_64`, `aarch64` */
  arch: string;
  kernel: string | null;
  container: boolean | null;
}

export type RuntimeSource = "flag" | "bundled" | "installed" | "path";

export type RuntimePhase = "unknown" | "looking" | "installing" | "ready" | "failed";

/** A llama.cpp build and how far we are with it. */
export interface RuntimeInfo {
  phase: RuntimePhase;
  /** Build number, such as 11669; null until one answered `--version`. */
  build: number | null;
  /** The whole version line, for people. */
  version: string | null;
  source: RuntimeSource | null;
  devices: RuntimeDevice[];
  /** What is being done, in words; `progress` 0 to 1 where it is known. */
  activity: string | null;
  progress: number | null;
  error: ErrorBody | null;
}

export interface RuntimeDevice {
  /** llama.cpp's name: `CUDA0`, `Vulkan0`. */
  name: string;
  description: string;
  total_bytes: number;
  free_bytes: number;
}

export interface SystemInfo {
  cpu: CpuInfo;
  memory: MemoryInfo & { models_bytes: number; budget_bytes: number | null };
  gpus: GpuInfo[];
  disk: { free_bytes: number | null };
  os: OsInfo | null;
  runtime: Omit<RuntimeInfo, "error"> & { error: ErrorBody | null };
  cage: CageInfo;
  version: string;
}

/** The cage of the system around each instance. */
export interface CageInfo {
  mode: "auto" | "require" | "off";
  active: "bubblewrap" | "landlock" | "sandbox-exec" | null;
  /** Why none or only a weaker one holds, and what to do; null where the best holds, or none was asked for yet. */
  reason: string | null;
}

/** What the server's Worker was given: Deno permissions, the lists by exact paths and addresses. */
export interface ServerPermissions {
  read: string[];
  write: string[];
  net: string[];
  run: false;
  env: false;
  ffi: false;
  import: false;
  sys: false;
}

/** A right that the program would like to have and was started without. */
export interface MissingRight {
  /** As Deno names it, with what it is for: `read /data/models`. */
  permission: string;
  costs: { code: string; message: string };
}

/** GET /admin/scope. */
export interface ScopeInfo {
  permissions: ServerPermissions;
  missing: MissingRight[];
  /** Where the host keeps llama.cpp; the server may not write there. */
  runtime_home: string;
  cage: SystemInfo["cage"];
}

export interface ErrorBody {
  message: string;
  code: string;
  values: Record<string, unknown>;
}

/** A row of GET /admin/models. */
export interface ModelRow {
  id: string;
  builtin: boolean;
  aliases: string[];
  size_bytes: number;
  quantization: string | null;
  architecture: string | null;
  context_length: number | null;
  capabilities: Capability[];
  /** Where the file lies: `home`, `folder` (a --models-dir), `import` (another program's), `builtin`. */
  source: string;
  state: ModelState;
  /** 0 to 1 while loading and known. */
  progress: number | null;
  /** The model's door, while it has one. */
  port: number | null;
  pid: number | null;
  memory_bytes: number | null;
  leases: number;
  queued: number;
  /** -1 = for ever. */
  keep_alive_ms: number;
  /** ISO time at which an idle model is unloaded; null while in use, pinned or stopped. */
  expires_at: string | null;
  pinned: boolean;
  /** Null where the machine or the model's header is not known yet. */
  badge: Badge | null;
  fit: Fit | null;
  error: (ErrorBody & { log: string[] }) | null;
}

export interface Sampling {
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  typical_p?: number;
  repeat_penalty?: number;
  repeat_last_n?: number;
  presence_penalty?: number;
  frequency_penalty?: number;
  seed?: number;
  max_tokens?: number;
  stop?: string[];
}

/** What a user chose for one model; null = the default. */
export interface ModelSettings {
  threads: number | null;
  context: number | null;
  gpu_layers: number | null;
  parallel: number | null;
  cache_type_k: string | null;
  cache_type_v: string | null;
  extra_args: string[];
  aliases: string[];
  /** Go duration, number of seconds, or -1. */
  keep_alive: string | number | null;
  pinned: boolean;
  system_prompt: string | null;
  sampling: Sampling;
  chat_template: string | null;
  lora: string[];
  draft_model: string | null;
}

/** One request now or lately; never its text. */
export interface RequestRow {
  id: string;
  model: string | null;
  route: string;
  state: "queued" | "answering" | "done" | "failed" | "cancelled";
  status: number | null;
  stream: boolean;
  started_at: string;
  /** Milliseconds from arrival to the lease, to the first byte, to the end. */
  wait_ms: number | null;
  first_byte_ms: number | null;
  total_ms: number | null;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  error: string | null;
}

/** What a key opens: answers of models, or everything. */
export type KeyScope = "use" | "admin";

/** A row of GET /admin/keys; never the key itself. */
export interface KeyRow {
  id: string;
  name: string;
  scope: KeyScope;
  /** `start`: of --api-key-file or ZOMBIE_API_KEY, which cannot be revoked here. */
  source: "made" | "start";
  created_at: string | null;
  last_used_at: string | null;
}

/** GET /admin/connect: texts for other programs, in each of which a key's place is marked. */
export interface ConnectAnswer {
  address: string;
  /** The one that was asked for; without one, the model that a user most likely means. */
  model: string;
  needs_key: boolean;
  key_place: string;
  tools: ConnectTextRow[];
}

export interface ConnectTextRow {
  name: string;
  title: string;
  where: string;
  note: string | null;
  /** False = it works only with a server that wants no key. */
  sends_key: boolean;
  /** What stands around the key's place: how a key must be written there. */
  key_in: "text" | "json" | "shell";
  text: string;
}

/** POST /admin/keys: the one time that the key is shown. */
export interface NewKeyRow extends KeyRow {
  key: string;
}

export type SettingSource = "flag" | "environment" | "config.json" | "default";

export interface SettingRow {
  name: string;
  value: unknown;
  source: SettingSource;
  /** Read from flag and environment only. */
  locked: boolean;
  flag: string | null;
  environment: string | null;
}

export type ServerEvent =
  | { type: "system"; data: SystemInfo }
  | { type: "model"; data: ModelRow | { id: string; removed: true } }
  | { type: "request"; data: RequestRow }
  | { type: "download"; data: DownloadRow | { id: string; removed: true } }
  | { type: "log"; data: { time: number; level: string; part: string; message: string } };

/** POST /generate: the seed's answer. */
export interface GenerateAnswer {
  model_id: string;
  response: string;
  done: boolean;
  done_reason: string | null;
  port: number | null;
  load_ms: number;
  prompt_tokens: number | null;
  completion_tokens: number | null;
}

export type BadgeLevel = "recommended" | "compatible" | "not_recommended";

/** Why a badge has its level; the page translates it together with `values`. */
export type BadgeCode =
  /** Fits beside what runs, with a useful context, and is fast enough. */
  | "fits"
  /** Fits, and is expected below 8 tokens a second. */
  | "slow"
  /** Fits with less than 4,096 tokens of context. */
  | "short_context"
  /** Fits only after other models are unloaded. */
  | "needs_unload"
  /** Fits this computer, but not beside the programs that hold its memory now. */
  | "memory_in_use"
  /** Does not fit this computer at all. */
  | "too_large"
  /** Nothing that can be loaded by itself: a projector, an adapter. */
  | "unusable";

/** Whether a model suits this computer, as it is shown. */
export interface Badge {
  level: BadgeLevel;
  code: BadgeCode;
  /**
   * `need_bytes`, `free_bytes` and `budget_bytes` of RAM, `need_vram_bytes` and `free_vram_bytes`,
   * `context`, `gpu_layers`, `tokens_per_second`; where it is too large also `choose`
   * (`smaller_quantization`, `smaller_model`, `fewer_gpu_layers`) and `largest_weights_bytes`.
   */
  values: Record<string, number | string | null>;
  /** One plain English sentence. */
  reason: string;
}

/** How a model would be loaded on this computer now, and what that takes. */
export interface Fit {
  weights_bytes: number;
  kv_bytes: number;
  compute_bytes: number;
  /** The three, and what each process costs: RAM and VRAM together. */
  total_bytes: number;
  ram_bytes: number;
  /** 0 without a GPU, and where the GPU shares the RAM. */
  vram_bytes: number;
  /** Tokens that one slot can hold. */
  context: number;
  /** Layers on the GPU, the output layer counted. */
  gpu_layers: number;
  /** While answering; null where the memory's bandwidth is not known. */
  tokens_per_second: number | null;
}

/** One quantization of a model on the Hub: one file, or all parts of a split one. */
export interface HubModel {
  /** The file that is asked for: the first part of a split model. Path in the repository. */
  file: string;
  /** Name under which it would be installed. */
  id: string;
  quantization: string | null;
  /** All parts and the projector. */
  size_bytes: number;
  parts: number;
  /** Path of the projector that comes with it. */
  projector: string | null;
  installed: boolean;
  fit: Fit | null;
  badge: Badge | null;
}

/** A repository of the Hub as a search lists it. */
export interface HubRepoRow {
  /** `org/name` */
  repo: string;
  downloads: number | null;
  likes: number | null;
  updated_at: string | null;
  /** False, or who opens it: `auto` at once, `manual` the owner. */
  gated: false | "auto" | "manual";
  license: string | null;
  parameters: number | null;
  architecture: string | null;
  context_length: number | null;
  capabilities: Capability[];
  languages: string[];
}

export interface HubRepo extends HubRepoRow {
  /** The commit that `models` are of. */
  commit: string;
  models: HubModel[];
  /** When the Hub said this: earlier than now where it cannot be reached. */
  fetched_at: string;
  offline: boolean;
}

/** A model that we recommend from, with what this computer can do with it. */
export interface CatalogueRow {
  id: string;
  name: string;
  roles: ("chat" | "code" | "vision" | "embedding" | "rerank")[];
  /** Count, such as 3800000000. */
  parameters: number;
  /** Of a mixture of experts: those that one token passes. */
  active_parameters: number | null;
  context_length: number | null;
  /** Languages by their codes, such as `bn`. */
  languages: string[];
  license: string;
  gated: boolean;
  repo: string;
  /** Smallest first. */
  files: HubModel[];
  /** Index into `files`: the one to take on this computer; null where none fits. */
  choice: number | null;
  fit: Fit | null;
  badge: Badge | null;
  /** The largest recommended one of its role. */
  best: boolean;
  /** `builtin` with the program, `user` where a user added it. */
  source: "builtin" | "user";
  installed: boolean;
}

export type DownloadState =
  /** Its turn has not come. */
  | "queued"
  | "downloading"
  /** All bytes are here; the rest of the checksum is being made. */
  | "verifying"
  /** Goes on by itself: at `retry_at`, or when there is room on the disk. `error` says why. */
  | "waiting"
  | "paused"
  /** Somebody has to do something first: `error` says what. Resume tries again. */
  | "failed"
  | "done";

export interface DownloadRow {
  id: string;
  repo: string;
  revision: string;
  /** Null until the Hub was asked. */
  commit: string | null;
  /** As asked for: the first part of a split model. */
  file: string;
  /** The name that the model will have, or has. */
  model: string | null;
  state: DownloadState;
  /** Place in the queue, from 0. */
  position: number;
  /** Null until the Hub was asked. Parts and projector together. */
  bytes_total: number | null;
  bytes_done: number;
  /** Over the last seconds; 0 while nothing comes. */
  bytes_per_second: number;
  /** Null where it cannot be told. */
  seconds_left: number | null;
  files: { path: string; bytes_total: number; bytes_done: number; verified: boolean }[];
  error: ErrorBody | null;
  /** ISO time of the next try by itself. */
  retry_at: string | null;
  created_at: string;
}

export interface DownloadList {
  /** 0 = no limit. */
  bytes_per_second_limit: number;
  downloads: DownloadRow[];
}

/** A model that another program keeps on this computer. */
export interface ImportRow {
  /** `ollama`, `lm_studio`, `huggingface`, `llama_cpp`, `jan`, `gpt4all`, `drive`, `folder`. */
  program: string;
  /** As that program calls it. */
  name: string;
  /** First part. */
  path: string;
  parts: string[];
  projector: string | null;
  size_bytes: number;
  /** The name that it has here, or would have. */
  id: string;
  imported: boolean;
  quantization: string | null;
  architecture: string | null;
  fit: Fit | null;
  badge: Badge | null;
  /** Why it cannot be used. */
  error: ErrorBody | null;
}

export interface ImportList {
  models: ImportRow[];
  /** Where was looked, and what kept us from it. */
  places: { program: string; path: string; found: number; error: ErrorBody | null }[];
}

/** How an archive was checked: by a digest in our code, by the distribution's signature, or only against what its own server says. */
export type RuntimeTrust = "pinned" | "signed" | "unverified";

/** A llama.cpp build that is on this computer. */
export interface InstalledRuntime {
  /** By which it is used and removed; `bundled` and `path` for those that were not installed here. */
  name: string;
  source: RuntimeSource;
  build: number | null;
  /** Null until it was asked. */
  version: string | null;
  verified: RuntimeTrust | null;
  /** What it could compute on when it was asked last, beside the CPU. */
  devices: RuntimeDevice[];
  size_bytes: number | null;
  installed_at: string | null;
  /** The next load starts this one. */
  active: boolean;
  /** Why it cannot be used. */
  refusal: string | null;
  removable: boolean;
}

/** Why a build is offered for this computer, or not. */
export type RuntimeOfferCode =
  /** It runs on any computer of this kind. */
  | "runs_anywhere"
  | "gpu_fits"
  | "no_gpu"
  | "no_nvidia_gpu"
  | "driver_unknown"
  /** `driver` is there, `needed` would do. */
  | "driver_too_old"
  | "gpu_too_old"
  | "gpu_too_new";

/** A llama.cpp build that could be installed. */
export interface AvailableRuntime {
  /** `cpu`, `metal`, `vulkan`, `cuda-12`, `cuda-13`. */
  variant: string;
  /** What is downloaded, roughly. */
  size_bytes: number;
  verified: RuntimeTrust;
  offered: boolean;
  recommended: boolean;
  code: RuntimeOfferCode;
  values: Record<string, string | number>;
  /** One plain English sentence. */
  reason: string;
  /** Name of the installed build of this kind. */
  installed: string | null;
}

/** The installation that runs, or ran last. */
export interface RuntimeJob {
  /** `llama.cpp` where the program installs one unasked, since none is here. */
  variant: string;
  state: "installing" | "done" | "failed" | "cancelled";
  activity: string | null;
  /** 0 to 1; null = unknown. */
  progress: number | null;
  /** Of the build, when it is done. */
  name: string | null;
  error: ErrorBody | null;
}

/** GET /admin/runtimes */
export interface RuntimeList {
  installed: InstalledRuntime[];
  available: AvailableRuntime[];
  /** What was chosen by `use`; null = the usual order. */
  chosen: string | null;
  /** The path of --llama-server, over which nothing wins. */
  flag: string | null;
  job: RuntimeJob | null;
}

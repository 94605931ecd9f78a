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
  cage: { mode: string; active: string | null };
  version: string;
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
  /** Where the file lies: `home`, `folder` (a --models-dir), `builtin`. */
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
  badge: null;
  error: (ErrorBody & { log: string[] }) | null;
}

export interface Sampling {
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  repeat_penalty?: number;
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

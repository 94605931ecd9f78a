// A launch as the server asks for it, and the allow-list as the tests know it: written down here a
// second time, so that a new rule in the product has to be meant.

import type { LaunchSpec } from "../../src/host/messages.ts";

export const TOKEN = "00112233445566778899aabbccddeeff";
export const KEY = "ffeeddccbbaa99887766554433221100";

export function launchSpec(change: Partial<LaunchSpec> = {}): LaunchSpec {
  return {
    place: 0,
    token: TOKEN,
    key: KEY,
    alias: "hello",
    modelPath: "/models/hello.gguf",
    mmprojPath: null,
    mode: "chat",
    contextTokens: 4_096,
    parallel: 1,
    threads: 2,
    gpuLayers: "auto",
    batchTokens: 512,
    ubatchTokens: 256,
    cacheTypeK: null,
    cacheTypeV: null,
    cacheRamMiB: 0,
    httpThreads: 8,
    logVerbosity: 4,
    chatTemplate: null,
    loraPaths: [],
    draftModelPath: null,
    memoryBytes: 100e6,
    extraArgs: [],
    ...change,
  };
}

/** Flags that the launch itself sets, with how many values each has. */
export const LAUNCH_FLAGS: Readonly<Record<string, 0 | 1>> = {
  "-m": 1,
  "-a": 1,
  "--host": 1,
  "--port": 1,
  "--api-prefix": 1,
  "--threads-http": 1,
  "--cors-origins": 1,
  "--no-ui": 0,
  "--no-webui": 0,
  "--no-slots": 0,
  "--offline": 0,
  "-c": 1,
  "-np": 1,
  "-t": 1,
  "-b": 1,
  "-ub": 1,
  "--cache-ram": 1,
  "--no-warmup": 0,
  "-lv": 1,
  "--fit": 1,
  "-dev": 1,
  "-ngl": 1,
  "-ctk": 1,
  "-ctv": 1,
  "--embeddings": 0,
  "--reranking": 0,
  "--mmproj": 1,
  "-md": 1,
  "--lora": 1,
  "--chat-template": 1,
};

/** Names of one argument that a user may add, with a value that passes and values that do not. */
export interface ExtraArg {
  names: readonly string[];
  /** null = the flag takes none. */
  value: string | null;
  refused?: readonly string[];
}

function switches(...names: string[]): ExtraArg {
  return { names, value: null };
}
function number(names: string[], value: string, ...refused: string[]): ExtraArg {
  return { names, value, refused: ["", " 1", "1 ", "one", "0x1", "1e1", "NaN", "1,2", ...refused] };
}
function words(names: string[], ...accepted: string[]): ExtraArg {
  return { names, value: accepted[0]!, refused: ["", "yes", accepted[0]!.toUpperCase()] };
}

export const EXTRA_ARGS: readonly ExtraArg[] = [
  number(["-tb", "--threads-batch"], "2", "0", "1025", "-1", "1.5"),
  number(["-lv", "--verbosity", "--log-verbosity"], "4", "6", "-1"),
  number(["--prio"], "1", "3", "-2"),
  number(["--poll"], "50", "101"),
  number(["-n", "--predict", "--n-predict"], "128", "-2"),
  number(["--keep"], "16", "-2"),
  switches("--swa-full"),
  words(["-fa", "--flash-attn"], "auto"),
  words(["--rope-scaling"], "linear"),
  number(["--rope-scale"], "2", "-1"),
  number(["--rope-freq-base"], "10000", "-1"),
  number(["--rope-freq-scale"], "0.5", "-1"),
  number(["--yarn-orig-ctx"], "4096", "-1"),
  number(["--yarn-ext-factor"], "1.0", "-2"),
  number(["--yarn-attn-factor"], "1.0", "-2"),
  number(["--yarn-beta-slow"], "1.0", "-2"),
  number(["--yarn-beta-fast"], "32.0", "-2"),
  switches("-kvo", "--kv-offload", "-nkvo", "--no-kv-offload"),
  switches("--repack", "-nr", "--no-repack"),
  words(["-lm", "--load-mode"], "mmap"),
  switches("--mlock"),
  switches("--no-mmap"),
  words(["--numa"], "distribute"),
  switches("-cmoe", "--cpu-moe"),
  number(["-ncmoe", "--n-cpu-moe"], "2", "-1"),
  number(["-ncffn", "--n-cpu-ffn"], "2", "-1"),
  words(["-sm", "--split-mode"], "layer"),
  { names: ["-ts", "--tensor-split"], value: "3,1", refused: ["", ",", "1;2", "a", "1,,2"] },
  number(["-mg", "--main-gpu"], "0", "-1"),
  { names: ["-dev", "--device"], value: "none", refused: ["", "a b", "rpc:1", "/dev/x", "-1"] },
  switches("--check-tensors"),
  switches("--op-offload", "--no-op-offload"),
  number(["-s", "--seed"], "42", "-2"),
  number(["--temp", "--temperature"], "0.7", "-1"),
  number(["--top-k"], "40", "-1"),
  number(["--top-p"], "0.9", "1.1"),
  number(["--min-p"], "0.1", "1.1"),
  number(["--typical", "--typical-p"], "1.0", "1.1"),
  number(["--repeat-last-n"], "64", "-2"),
  number(["--repeat-penalty"], "1.1", "-1"),
  number(["--presence-penalty"], "0.5", "-11"),
  number(["--frequency-penalty"], "0.5", "11"),
  number(["--dry-multiplier"], "0.5", "-1"),
  number(["--dry-base"], "1.75", "-1"),
  number(["--dry-allowed-length"], "2", "-1"),
  number(["--xtc-probability"], "0.5", "2"),
  number(["--xtc-threshold"], "0.1", "2"),
  number(["--mirostat"], "0", "3"),
  number(["-ctxcp", "--ctx-checkpoints", "--swa-checkpoints"], "8", "-1"),
  switches("-kvu", "--kv-unified", "-no-kvu", "--no-kv-unified"),
  switches("--context-shift", "--no-context-shift"),
  switches("-sp", "--special"),
  switches("--warmup"),
  switches("--spm-infill"),
  words(["--pooling"], "mean"),
  switches("-cb", "--cont-batching", "-nocb", "--no-cont-batching"),
  number(["--image-min-tokens"], "16", "-1"),
  number(["--image-max-tokens"], "1024", "-1"),
  switches("--mmproj-offload", "--no-mmproj-offload"),
  number(["--embd-normalize"], "2", "-2"),
  switches("--cache-prompt", "--no-cache-prompt"),
  number(["--cache-reuse"], "0", "-1"),
  switches("--jinja", "--no-jinja"),
  words(["--reasoning-format"], "none"),
  words(["-rea", "--reasoning"], "auto"),
  number(["--reasoning-budget"], "0", "-2"),
  number(["-sps", "--slot-prompt-similarity"], "0.5", "2"),
  number(["--spec-draft-n-max"], "3", "-1"),
  number(["--spec-draft-n-min"], "0", "-1"),
  number(["--spec-draft-p-min"], "0.75", "2"),
];

export const EVERY_FLAG: ReadonlySet<string> = new Set([
  ...Object.keys(LAUNCH_FLAGS),
  ...EXTRA_ARGS.flatMap(({ names }) => names),
]);

// Launch options -> arguments and environment of one llama-server, from a typed allow-list (pure).
// Nothing that the server says becomes an argument unless a rule here knows it: llama-server can be
// told by an argument or a variable to run a shell (facts/security.md, findings 2 and 3).

import { isAbsolute } from "node:path";
import { AppError } from "../errors.ts";
import { checkExtraArgs } from "./extra_args.ts";
import { CACHE_TYPES, INSTANCE_HOST, type LaunchSpec, type Place, PLACES } from "./messages.ts";
import { TOKEN_VARIABLE } from "./probes/process_identity.ts";

export interface LaunchCommand {
  args: string[];
  /** The whole environment: nothing is inherited. */
  env: Record<string, string>;
}

export interface LaunchContext {
  /** Every flag that the build's own `-h` lists. */
  flags: ReadonlySet<string>;
  hasDevices: boolean;
  place: Place;
  platform: string;
}

/** What `LLAMA_SERVER_ROUTER_PORT` says does not matter: that it is there switches the watchdog on stdin on. */
const WATCHDOG = { LLAMA_SERVER_ROUTER_PORT: "1" };

const WARMUP_FLAGS = ["--warmup"];
const VERBOSITY_FLAGS = ["-lv", "--verbosity", "--log-verbosity"];

const HEX_32 = /^[0-9a-f]{32}$/;

/** Builds the command. Throws `invalid_request` for a value that is out of its range. */
export function buildCommand(launch: LaunchSpec, context: LaunchContext): LaunchCommand {
  checkLaunch(launch);
  const args = new Arguments(context.flags);
  args.must("-m", launch.modelPath);
  args.must("-a", aliasOf(launch.alias));
  if ("socketPath" in context.place) {
    args.must("--host", context.place.socketPath);
  } else {
    args.must("--host", "127.0.0.1");
    args.must("--port", String(context.place.port));
  }
  // Requests carry a whole address, as those of a proxy do; this makes it match.
  args.must("--api-prefix", `http://${INSTANCE_HOST}`);
  // Without it an idle kept-alive connection holds one of few threads for 5 s.
  args.must("--threads-http", String(launch.httpThreads));
  args.must("--cors-origins", "http://gateway.invalid");
  args.first(["--no-ui", "--no-webui"]);
  args.must("--no-slots");
  args.may("--offline");
  args.must("-c", String(launch.contextTokens * launch.parallel));
  args.must("-np", String(launch.parallel));
  args.must("-t", String(launch.threads));
  args.must("-b", String(launch.batchTokens));
  args.must("-ub", String(launch.ubatchTokens));
  args.may("--cache-ram", String(launch.cacheRamMiB));
  // Whoever sets one of these has it: the same flag never stands there twice.
  const isSet = (names: readonly string[]) => launch.extraArgs.some((arg) => names.includes(arg));
  // The first answer warms what a warm-up would, and comes sooner.
  if (!isSet(WARMUP_FLAGS)) args.may("--no-warmup");
  if (!isSet(VERBOSITY_FLAGS)) args.may("-lv", String(launch.logVerbosity));
  addOffload(args, launch, context);
  if (launch.cacheTypeK !== null) args.must("-ctk", launch.cacheTypeK);
  if (launch.cacheTypeV !== null) args.must("-ctv", launch.cacheTypeV);
  if (launch.mode === "embedding") args.must("--embeddings");
  if (launch.mode === "rerank") args.must("--reranking");
  if (launch.mmprojPath !== null) args.must("--mmproj", launch.mmprojPath);
  if (launch.draftModelPath !== null) args.must("-md", launch.draftModelPath);
  // Named twice, the flag would mean its last value alone.
  if (launch.loraPaths.length > 0) args.must("--lora", launch.loraPaths.join(","));
  if (launch.chatTemplate !== null) args.must("--chat-template", launch.chatTemplate);
  const { flags } = context;
  args.add(checkExtraArgs(launch.extraArgs, { flags, taken: args.list }));
  return { args: args.list, env: environmentOf(launch, context.platform) };
}

function addOffload(args: Arguments, launch: LaunchSpec, context: LaunchContext): void {
  if (context.hasDevices) {
    if (launch.gpuLayers === "auto") return;
    if (launch.gpuLayers === 0) args.must("-dev", "none");
    else args.must("-ngl", String(launch.gpuLayers));
  }
  // Nothing to place, or placed already: without this it would probe the model's memory once more
  // before it loads.
  args.may("--fit", "off");
}

function environmentOf(launch: LaunchSpec, platform: string): Record<string, string> {
  const env: Record<string, string> = {
    ...WATCHDOG,
    // In the environment, not in the arguments: those any user can read.
    LLAMA_API_KEY: launch.key,
    [TOKEN_VARIABLE]: launch.token,
    LANG: "C.UTF-8",
  };
  if (platform === "windows") env.SystemRoot = "C:\\Windows";
  else env.PATH = "/usr/bin:/bin";
  return env;
}

function checkLaunch(launch: LaunchSpec): void {
  checkInteger("place", launch.place, 0, PLACES - 1);
  checkInteger("context", launch.contextTokens, 1, 2 ** 24);
  checkInteger("parallel", launch.parallel, 1, 256);
  checkInteger("threads", launch.threads, 1, 1024);
  checkInteger("batch", launch.batchTokens, 1, 2 ** 20);
  checkInteger("ubatch", launch.ubatchTokens, 1, 2 ** 20);
  checkInteger("http_threads", launch.httpThreads, 1, 1024);
  if (launch.memoryBytes !== null) {
    checkInteger("memory", launch.memoryBytes, 0, Number.MAX_SAFE_INTEGER);
  }
  checkInteger("log_verbosity", launch.logVerbosity, 1, 4);
  checkInteger("cache_ram", launch.cacheRamMiB, 0, 2 ** 24);
  if (launch.gpuLayers !== "auto") checkInteger("gpu_layers", launch.gpuLayers, 0, 10_000);
  for (const type of [launch.cacheTypeK, launch.cacheTypeV]) {
    if (type !== null && !CACHE_TYPES.includes(type)) {
      refuse("cache_type", type, `choose one of ${CACHE_TYPES.join(", ")}`);
    }
  }
  if (!["chat", "embedding", "rerank"].includes(launch.mode)) refuse("mode", launch.mode);
  if (!HEX_32.test(launch.token)) refuse("token", "not 32 hex digits");
  if (!HEX_32.test(launch.key)) refuse("key", "not 32 hex digits");
  const paths = [launch.modelPath, launch.mmprojPath, launch.draftModelPath, ...launch.loraPaths];
  for (const path of paths) {
    if (path !== null && (!isAbsolute(path) || path.includes("\0"))) refuse("path", path);
  }
  for (const path of launch.loraPaths) {
    if (!path.includes(",")) continue;
    refuse(
      "lora",
      path,
      "llama-server takes a comma for the end of a name. Rename the file or folder",
    );
  }
  const template = launch.chatTemplate;
  if (template !== null && (template.startsWith("-") || template.includes("\0"))) {
    const start = template.slice(0, 40);
    refuse("chat_template", start, "it must not start with a dash or hold a zero byte");
  }
}

function checkInteger(name: string, value: number, least: number, most: number): void {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new AppError(
      "invalid_request",
      `Cannot start a model with ${name} ${value}: choose a whole number from ${least} to ${most}`,
      { param: name, values: { name, least, most } },
    );
  }
}

function refuse(name: string, value: string, why?: string): never {
  const reason = why === undefined ? "" : `: ${why}`;
  throw new AppError("invalid_request", `Cannot start a model with ${name} "${value}"${reason}`, {
    param: name,
  });
}

// A name may hold a comma or begin with a dash; as an argument it would then mean something else.
function aliasOf(alias: string): string {
  // deno-lint-ignore no-control-regex -- that is what must not get through
  const safe = alias.replace(/[,\u0000-\u001f]/g, "_");
  return safe.startsWith("-") ? `_${safe}` : safe;
}

/** Collects arguments by what the build knows: flags come and go between builds. */
class Arguments {
  readonly list: string[] = [];
  readonly #flags: ReadonlySet<string>;

  constructor(flags: ReadonlySet<string>) {
    this.#flags = flags;
  }

  must(flag: string, value?: string): void {
    if (!this.#flags.has(flag)) {
      throw new AppError(
        "runtime_missing",
        `Cannot start a model: this llama-server does not know "${flag}". Install a newer build`,
        { values: { flag } },
      );
    }
    this.#push(flag, value);
  }

  may(flag: string, value?: string): void {
    if (this.#flags.has(flag)) this.#push(flag, value);
  }

  /** The first of several names of one flag that the build knows. */
  first(flags: string[], value?: string): void {
    const known = flags.find((flag) => this.#flags.has(flag)) ?? flags[0]!;
    this.must(known, value);
  }

  add(args: readonly string[]): void {
    this.list.push(...args);
  }

  #push(flag: string, value?: string): void {
    this.list.push(flag);
    if (value !== undefined) this.list.push(value);
  }
}

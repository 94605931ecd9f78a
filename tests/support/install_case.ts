// A runtime home of its own, and a stand-in of the release API to install from.

import { dirname, join } from "node:path";
import type { RuntimeInfo } from "../../src/api_types.ts";
import { BuildGuard } from "../../src/host/build_check.ts";
import { type FindOrInstallOptions, findOrInstallRuntime } from "../../src/host/install.ts";
import { type GithubOptions, githubSource, PINNED_TAG } from "../../src/host/install_github.ts";
import type { InstallProgress, InstallSource } from "../../src/host/install_source.ts";
import { RuntimeKeeper } from "../../src/host/runtime_keeper.ts";
import type { OfferFacts } from "../../src/host/runtime_offers.ts";
import { Runtimes } from "../../src/host/runtimes.ts";
import { createLog, type LogEntry } from "../../src/log.ts";
import { tarGz } from "./archive_writer.ts";
import { ReleaseApi } from "./release_api.ts";
import { scriptServer, type ScriptServerOptions, writeScriptServer } from "./script_server.ts";
import { TempFolder } from "./temp_folder.ts";

export const CPU = "llama-b11118-bin-ubuntu-x64.tar.gz";
export const GPU = "llama-b11118-bin-ubuntu-vulkan-x64.tar.gz";
export const INSTALLED = "llama-b11118-ubuntu-x64";
export const VULKAN = "llama-b11118-ubuntu-vulkan-x64";
/** What a build says that sees a GPU. */
export const DEVICES: readonly string[] = ["  Vulkan0: A card (1024 MiB, 1000 MiB free)"];
export const PLATFORM = { os: "linux", arch: "x86_64" };

export const ON_LINUX: OfferFacts = { os: "linux", arch: "x86_64", gpus: [], nvidia: null };

export interface BuildsGiven {
  facts?: OfferFacts;
  digests?: Record<string, string>;
  /** Programs of processes that run. */
  running?: string[];
  llamaServer?: string | null;
  path?: string | null;
  /** Where nothing is here one is installed, as when the program starts. */
  unasked?: boolean;
  /** The keeper looks again only after this. */
  beforeSearch?(): Promise<void>;
  /** Told of all that the release API's source does, before it does it. */
  onProgress?(activity: string): void;
}

export class InstallCase implements AsyncDisposable {
  readonly entries: LogEntry[] = [];
  readonly progress: InstallProgress[] = [];
  readonly told: RuntimeInfo[] = [];
  readonly abort = new AbortController();
  readonly api = ReleaseApi.start();
  readonly #folder: TempFolder;

  protected constructor(folder: TempFolder) {
    this.#folder = folder;
  }

  static async open(): Promise<InstallCase> {
    return new InstallCase(await TempFolder.make());
  }

  at(...names: string[]): string {
    return join(this.#folder.path, ...names);
  }

  get home(): string {
    return this.at("home");
  }

  get installed(): string {
    return join(this.home, INSTALLED, "llama-server");
  }

  source(digests: Record<string, string> = {}, more: GithubOptions = {}): InstallSource {
    const pinned = { tag: PINNED_TAG, digests };
    return githubSource({ apiBase: this.api.base, platform: PLATFORM, pinned, ...more });
  }

  find(options: Partial<FindOrInstallOptions> = {}) {
    return findOrInstallRuntime({
      llamaServer: null,
      bundledFolder: this.at("config", "llama.cpp"),
      runtimeHome: this.home,
      path: null,
      sources: [],
      log: createLog({ part: "t", level: "debug", write: (entry) => this.entries.push(entry) }),
      onProgress: (progress) => this.progress.push(progress),
      signal: this.abort.signal,
      ...options,
    });
  }

  /** The builds as the host has them: a keeper, a guard, and what runs is the test's to say. */
  builds(given: BuildsGiven = {}) {
    const { facts = ON_LINUX, digests = {}, running = [], llamaServer = null, path = null } = given;
    const source = (wanted: GithubOptions) =>
      toldOf(this.source(digests, wanted), given.onProgress ?? (() => {}));
    const guard = new BuildGuard();
    const options = {
      llamaServer,
      bundledFolder: this.at("config", "llama.cpp"),
      runtimeHome: this.home,
      path,
      guard,
      log: createLog({ part: "t", level: "debug", write: (entry) => this.entries.push(entry) }),
      signal: this.abort.signal,
    };
    const keeper = new RuntimeKeeper({
      find: async (onProgress, { cancellation, mayInstall }) => {
        await given.beforeSearch?.();
        return await findOrInstallRuntime({
          ...options,
          signal: AbortSignal.any([options.signal, cancellation.signal]),
          cancellation,
          sources: given.unasked && mayInstall ? [source({})] : [],
          onProgress,
        });
      },
      onChange: (info) => this.told.push(info),
    });
    const runtimes = new Runtimes({
      ...options,
      keeper,
      running: () => running,
      facts: () => Promise.resolve(facts),
      sources: (wanted) => [source(wanted)],
      pinned: { tag: PINNED_TAG, digests },
    });
    return { runtimes, keeper, guard };
  }

  async server(name: string, options: ScriptServerOptions = {}): Promise<string> {
    await Deno.mkdir(dirname(this.at(name)), { recursive: true });
    await writeScriptServer(this.at(name), options);
    return this.at(name);
  }

  /** Names in the runtime home, but for the lock and the remembered probes. */
  async kept(): Promise<string[]> {
    const names = await Array.fromAsync(Deno.readDir(this.home), (entry) => entry.name);
    return names.filter((name) => name !== ".lock" && name !== "probes.json").sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

function toldOf(source: InstallSource, tell: (activity: string) => void): InstallSource {
  return {
    ...source,
    builds: (context) =>
      source.builds({
        ...context,
        progress(activity, progress) {
          tell(activity);
          context.progress(activity, progress);
        },
      }),
  };
}

export function archive(
  options: ScriptServerOptions = {},
  more: string = "",
): Uint8Array<ArrayBuffer> {
  return tarGz([
    { name: "llama-b11118/", type: "5" },
    { name: "llama-b11118/libllama.so", type: "2", target: "libllama.so.0" },
    { name: "llama-b11118/libllama.so.0", content: "library" + more },
    { name: "llama-b11118/llama-server", content: scriptServer(options), mode: 0o755 },
  ]);
}

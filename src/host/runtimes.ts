// The builds of llama.cpp on this computer: listed, installed beside one another, chosen, removed.
// Names from outside are held against that list and never become a path.

import { basename, dirname, join } from "node:path";
import type { AvailableRuntime, RuntimeInfo, RuntimeJob, RuntimeList } from "../api_types.ts";
import { AppError } from "../errors.ts";
import { removeIfThere } from "../durable_write.ts";
import type { BuildGuard } from "./build_check.ts";
import { type FindOrInstallOptions, installBeside } from "./install.ts";
import type { InstallSource } from "./install_source.ts";
import { PINNED_DIGESTS, PINNED_TAG } from "./install_github.ts";
import type { InstallRuntimeParams } from "./messages.ts";
import { isBuildName, makeWorkFolder, moveBuildAside, tryLockRuntimeHome } from "./runtime_home.ts";
import { readChoice, writeChoice } from "./runtime_choice.ts";
import { type InstallationStep, RuntimeInstallation } from "./runtime_installation.ts";
import type { RuntimeKeeper } from "./runtime_keeper.ts";
import { type OfferFacts, runtimeOffers } from "./runtime_offers.ts";
import { proveBuild, proveInstalled } from "./runtime_proof.ts";
import {
  busy,
  busyElsewhere,
  homeUnusable,
  noSuchBuild,
  notInstalling,
  offerFor,
  refused,
  tooLate,
} from "./runtime_refusals.ts";
import { rowsNamed, type RuntimeRow, runtimeRows } from "./runtime_rows.ts";

export interface RuntimesOptions
  extends Omit<FindOrInstallOptions, "onProgress" | "sources" | "cancellation"> {
  guard: BuildGuard;
  keeper: Pick<RuntimeKeeper, "current" | "look" | "info" | "decline">;
  /** The programs of all processes that run now. */
  running(): readonly string[];
  facts(): Promise<OfferFacts>;
  sources(
    wanted: {
      variant: string;
      release: "pinned" | "latest";
      platform: { os: string; arch: string };
    },
  ): readonly InstallSource[];
  /** Ours by default; a test has others. */
  pinned?: { tag: string; digests: Readonly<Record<string, string>> };
}

/** By which `use` forgets what was chosen; no build is called so. */
const USUAL_ORDER = "auto";
/** What is installed where nothing is here is called so: nobody chose a variant. */
const UNASKED = "llama.cpp";
/** A GPU or its driver may come while we run. */
const FACTS_MS = 10_000;
/** So long another process may hold the runtime home while somebody waits in silence. */
const LOCK_MS = 1_000;

export class Runtimes implements AsyncDisposable {
  readonly #options: RuntimesOptions;
  /** The one that runs, or ran last. */
  #installation: RuntimeInstallation | null = null;
  #known: { atMs: number; facts: Promise<OfferFacts> } | null = null;
  /** Changes wait for each other: each sees what the one before left. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: RuntimesOptions) {
    this.#options = options;
  }

  async list(): Promise<RuntimeList> {
    const { runtimeHome, llamaServer } = this.#options;
    const [rows, chosen] = await Promise.all([runtimeRows(this.#options), readChoice(runtimeHome)]);
    return {
      installed: rows.map(({ path: _path, isWhole: _isWhole, ...row }) => row),
      available: await this.#offers(rows),
      chosen,
      flag: llamaServer,
      job: this.#job(),
    };
  }

  /** Answers when it has begun. Throws `runtime_refused` where it must not, `runtime_not_found`. */
  install(params: InstallRuntimeParams): Promise<RuntimeList> {
    return this.#inTurn(async () => {
      this.#refuseWhileInstalling();
      const offer = offerFor(params.variant, await this.#offers(await runtimeRows(this.#options)));
      if (!offer.offered) {
        throw refused("not_offered", {
          message: `Cannot install "${offer.variant}": ${offer.reason}`,
          values: { ...offer.values, variant: offer.variant, code: offer.code },
        });
      }
      const isPinned = offer.verified !== "unverified" && !params.latest;
      if (!isPinned && !params.unverified) {
        throw refused("unverified", {
          message: `Cannot install "${offer.variant}" unasked: its checksum is not part of this ` +
            "program, so only the server that sends it vouches for it. " +
            "Ask for it with --unverified, or with unverified: true",
          values: { variant: offer.variant },
        });
      }
      this.#installation = new RuntimeInstallation({
        ...this.#options,
        variant: offer.variant,
        install: (step) => this.#fetch(offer, { latest: params.latest, step }),
        choose: async (name) => {
          if (this.#options.llamaServer === null) await this.#choose(name);
        },
      });
    });
  }

  /**
   * Answers when nothing of it is left, so that another one can begin. Throws `runtime_refused` where
   * nothing is installed, or not this, and where it comes too late. `variant`: null = whatever it is.
   */
  async cancel(variant: string | null): Promise<RuntimeList> {
    const job = this.#job();
    if (job?.state !== "installing" || (variant !== null && variant !== job.variant)) {
      throw notInstalling(variant);
    }
    const { keeper } = this.#options;
    const asked = this.#installation?.isRunning ? this.#installation : null;
    if (asked !== null && !asked.cancel()) throw tooLate(job.variant);
    // Who waits because nothing is here yet must not begin another one in its place.
    if (keeper.current === null || keeper.info.phase === "installing") {
      if (!(await keeper.decline()) && asked === null) throw tooLate(job.variant);
    }
    await asked?.ended;
    return await this.list();
  }

  /** Throws `runtime_not_found`, `runtime_changed`, and `runtime_refused` where it must not be used. */
  use(name: string): Promise<RuntimeList> {
    return this.#inTurn(async () => {
      this.#refuseWhileInstalling();
      const { llamaServer } = this.#options;
      if (llamaServer !== null) {
        throw refused("flag", {
          message: `Cannot use another build: --llama-server "${llamaServer}" decides. ` +
            "Start without it",
          values: { path: llamaServer },
        });
      }
      if (name === USUAL_ORDER) return await this.#choose(null);
      await this.#prove(name);
      await this.#choose(name);
    });
  }

  /** Throws `runtime_not_found`, and `runtime_refused` for one that is in use or not ours. */
  remove(name: string): Promise<RuntimeList> {
    return this.#inTurn(async () => {
      this.#refuseWhileInstalling();
      const { runtimeHome, signal, guard } = this.#options;
      const row = await this.#row(name);
      if (row.source !== "installed") {
        throw refused("not_ours", {
          message: `Cannot remove "${name}": it was not installed by this program. ` +
            "Remove it as you installed it",
          values: { name },
        });
      }
      if (row.active) {
        throw refused("active", {
          message: `Cannot remove "${name}": it is in use. Use another build first`,
          values: { name },
        });
      }
      if (!row.removable) {
        throw refused("running", {
          message: `Cannot remove "${name}": models run with it. Unload them first`,
          values: { name },
        });
      }
      await this.#write(async () => {
        // Whoever asked may have left when a long installation ends.
        using lock = await tryLockRuntimeHome(runtimeHome, { signal, limitMs: LOCK_MS });
        if (lock === null) throw busyElsewhere();
        const work = await makeWorkFolder(runtimeHome);
        try {
          await moveBuildAside(join(runtimeHome, name), work);
        } finally {
          await removeIfThere(work);
        }
        guard.forget(dirname(row.path));
        if (await readChoice(runtimeHome) === name) await writeChoice(runtimeHome, null);
      });
      this.#options.log.info("Removed a llama.cpp build", { name });
    });
  }

  #inTurn(work: () => Promise<void>): Promise<RuntimeList> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done.then(() => this.list());
  }

  /** The build's name: of what is here already, and can be used, or of what was installed. */
  async #fetch(
    { variant, installed }: AvailableRuntime,
    { latest, step }: { latest: boolean; step: InstallationStep },
  ): Promise<string> {
    const options = { ...this.#options, ...step };
    if (!latest && installed !== null) {
      return await proveInstalled(await this.#row(installed), { ...options, variant });
    }
    const release = latest ? "latest" : "pinned";
    const sources = options.sources({ variant, release, platform: await this.#facts() });
    const { path } = await installBeside({ ...options, asked: true, sources });
    return basename(dirname(path));
  }

  #job(): RuntimeJob | null {
    const asked = this.#installation;
    const unasked = unaskedJob(this.#options.keeper.info);
    if (asked === null) return unasked;
    return !asked.isRunning && unasked?.state === "installing" ? unasked : asked.job;
  }

  async #choose(name: string | null): Promise<void> {
    const { runtimeHome, keeper, log } = this.#options;
    await this.#write(() => writeChoice(runtimeHome, name));
    log.info("Chose a llama.cpp build", { name: name ?? USUAL_ORDER });
    await keeper.look();
  }

  /** What is written there fails with a reason that names the folder. */
  async #write(work: () => Promise<void>): Promise<void> {
    const { runtimeHome, signal } = this.#options;
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof AppError
        ? error
        : homeUnusable("write in", { path: runtimeHome, error });
    }
  }

  async #row(name: string): Promise<RuntimeRow> {
    const rows = isBuildName(name) ? await runtimeRows(this.#options) : [];
    const row = rows.find((each) => each.name === name);
    if (row === undefined) throw noSuchBuild(name);
    return row;
  }

  /** Of several on PATH one is enough. Throws why the best of them may not be used. */
  async #prove(name: string): Promise<void> {
    const rows = isBuildName(name) ? await rowsNamed(name, this.#options) : [];
    const failures: unknown[] = [];
    for (const row of rows) {
      try {
        return void await proveBuild(row, this.#options);
      } catch (error) {
        this.#options.signal.throwIfAborted();
        failures.push(error);
      }
    }
    throw failures[0] ?? noSuchBuild(name);
  }

  #refuseWhileInstalling(): void {
    const job = this.#job();
    if (job?.state === "installing") throw busy(job.variant);
  }

  /** An installation that was told to end takes its work folder with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#turn, this.#installation?.ended]);
  }

  async #offers(rows: readonly RuntimeRow[]): Promise<AvailableRuntime[]> {
    const { pinned = { tag: PINNED_TAG, digests: PINNED_DIGESTS } } = this.#options;
    const installed = rows.filter(({ source, isWhole }) => source === "installed" && isWhole)
      .map(({ name }) => name);
    const hasBuild = rows.some(({ refusal }) => refusal === null);
    return runtimeOffers(await this.#facts(), { ...pinned, installed, hasBuild });
  }

  /** Who follows an installation asks again and again, and each time a tool would be run. */
  async #facts(): Promise<OfferFacts> {
    const nowMs = performance.now();
    if (this.#known === null || nowMs - this.#known.atMs > FACTS_MS) {
      this.#known = { atMs: nowMs, facts: this.#options.facts() };
    }
    return await this.#known.facts;
  }
}

/** What is installed because nothing is here; null unless it runs, or was cancelled. */
function unaskedJob({ phase, activity, progress, error }: RuntimeInfo): RuntimeJob | null {
  const job = { variant: UNASKED, activity, progress, name: null };
  if (phase === "installing") return { ...job, state: "installing", error: null };
  const isCancelled = phase === "failed" && error?.values.reason === "cancelled";
  return isCancelled ? { ...job, state: "cancelled", error } : null;
}

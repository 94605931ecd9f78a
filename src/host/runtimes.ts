// The builds of llama.cpp on this computer: listed, installed beside one another, chosen, removed.
// Names from outside are held against that list and never become a path.

import { basename, dirname, join } from "node:path";
import type { AvailableRuntime, RuntimeJob, RuntimeList } from "../api_types.ts";
import { removeIfThere } from "../durable_write.ts";
import { AppError, messageOf } from "../errors.ts";
import type { BuildGuard } from "./build_check.ts";
import type { Runtime } from "./find_runtime.ts";
import { type FindOrInstallOptions, installBeside, type InstallSource } from "./install.ts";
import { PINNED_DIGESTS, PINNED_TAG } from "./install_github.ts";
import type { InstallRuntimeParams } from "./messages.ts";
import {
  type InstalledBuild,
  isBuildName,
  listRecords,
  lockRuntimeHome,
  makeWorkFolder,
  moveBuildAside,
} from "./runtime_home.ts";
import { readChoice, writeChoice } from "./runtime_choice.ts";
import type { RuntimeKeeper } from "./runtime_keeper.ts";
import { type OfferFacts, runtimeOffers } from "./runtime_offers.ts";
import { probeRuntime, refusalOf } from "./runtime_probe.ts";
import { type RuntimeRow, runtimeRows } from "./runtime_rows.ts";

export interface RuntimesOptions extends Omit<FindOrInstallOptions, "onProgress" | "sources"> {
  guard: BuildGuard;
  keeper: Pick<RuntimeKeeper, "current" | "again" | "info">;
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
/** A GPU or its driver may come while we run. */
const FACTS_MS = 10_000;

export class Runtimes implements AsyncDisposable {
  readonly #options: RuntimesOptions;
  #job: RuntimeJob | null = null;
  #running: Promise<void> = Promise.resolve();
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
      job: this.#job === null ? null : { ...this.#job },
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
      const job: RuntimeJob = {
        variant: offer.variant,
        state: "installing",
        activity: "Looking for what is there",
        progress: null,
        name: null,
        error: null,
      };
      this.#job = job;
      this.#running = this.#run(job, { offer, latest: params.latest });
    });
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
      const row = await this.#row(name);
      await this.#prove(row);
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
      using _lock = await lockRuntimeHome(runtimeHome, { signal, onWait: () => {} });
      const work = await makeWorkFolder(runtimeHome);
      try {
        await moveBuildAside(join(runtimeHome, name), work);
      } finally {
        await removeIfThere(work);
      }
      guard.forget(dirname(row.path));
      if (await readChoice(runtimeHome) === name) await writeChoice(runtimeHome, null);
      this.#options.log.info("Removed a llama.cpp build", { name });
    });
  }

  #inTurn(work: () => Promise<void>): Promise<RuntimeList> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done.then(() => this.list());
  }

  async #run(
    job: RuntimeJob,
    { offer, latest }: { offer: AvailableRuntime; latest: boolean },
  ): Promise<void> {
    const { log, llamaServer, sources, runtimeHome } = this.#options;
    const { variant } = offer;
    try {
      const there = latest ? null : offer.installed;
      const name = there !== null ? await this.#proveAgain(there, variant) : nameOf(
        await installBeside({
          ...this.#options,
          asked: true,
          sources: sources({
            variant,
            release: latest ? "latest" : "pinned",
            platform: await this.#facts(),
          }),
          onProgress: ({ activity, progress }) => Object.assign(job, { activity, progress }),
        }),
      );
      // Only now: until it has run, the earlier one stays in use.
      if (llamaServer === null) await this.#choose(name);
      Object.assign(job, { state: "done", activity: null, progress: 1, name });
    } catch (error) {
      const { message, code, values } = error instanceof AppError
        ? error
        : new AppError("runtime_refused", `Cannot install "${variant}": ${messageOf(error)}`, {
          values: { reason: "unusable" },
        });
      log.warn("The llama.cpp build is not installed", { variant, reason: message, runtimeHome });
      const told = { message, code, values: { ...values, variant } };
      Object.assign(job, { state: "failed", activity: null, progress: null, error: told });
    }
  }

  /** A build for GPUs that is here already must see one now. */
  async #proveAgain(name: string, variant: string): Promise<string> {
    const runtime = await this.#prove(await this.#row(name));
    if (/^(vulkan|cuda)/.test(variant) && runtime.devices.length === 0) {
      throw new Error("it sees no GPU. Update the GPU's driver, then try again");
    }
    return name;
  }

  async #prove(row: RuntimeRow): Promise<Runtime> {
    const { guard, runtimeHome, signal } = this.#options;
    if (row.source === "installed") {
      if (!row.isWhole) throw tooOldOrBroken(row, row.refusal!);
      await guard.checkAll(await this.#build(row));
    }
    try {
      const path = await Deno.realPath(row.path);
      const probe = await probeRuntime(path, { runtimeHome, fresh: true, signal });
      const refusal = refusalOf(probe);
      if (refusal !== null) throw new Error(refusal);
      return { ...probe, source: row.source };
    } catch (error) {
      signal.throwIfAborted();
      throw tooOldOrBroken(row, messageOf(error), error);
    }
  }

  async #build({ name, path }: RuntimeRow): Promise<InstalledBuild> {
    const builds = await listRecords(this.#options.runtimeHome);
    const { record } = builds.find(({ folder }) => basename(folder) === name)!;
    return { folder: dirname(path), record };
  }

  async #choose(name: string | null): Promise<void> {
    const { runtimeHome, keeper, log } = this.#options;
    await writeChoice(runtimeHome, name);
    log.info("Chose a llama.cpp build", { name: name ?? USUAL_ORDER });
    await keeper.again();
  }

  async #row(name: string): Promise<RuntimeRow> {
    const rows = isBuildName(name) ? await runtimeRows(this.#options) : [];
    const row = rows.find((each) => each.name === name);
    if (row !== undefined) return row;
    throw new AppError(
      "runtime_not_found",
      `Cannot find the llama.cpp build "${
        name.slice(0, 100)
      }". zombiecoder runtime list shows them`,
      { values: { name: name.slice(0, 100) } },
    );
  }

  #refuseWhileInstalling(): void {
    const isJob = this.#job?.state === "installing";
    if (!isJob && this.#options.keeper.info.phase !== "installing") return;
    const variant = isJob ? this.#job!.variant : "llama.cpp";
    throw refused("busy", {
      message: `Cannot change the builds while "${variant}" is installed. Wait until that is done`,
      values: { variant },
    });
  }

  /** An installation that was told to end takes its work folder with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#turn, this.#running]);
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

function offerFor(variant: string | null, offers: readonly AvailableRuntime[]): AvailableRuntime {
  const offer = variant === null
    ? offers.find(({ recommended }) => recommended)
    : offers.find((each) => each.variant === variant);
  if (offer !== undefined) return offer;
  const known = offers.map((each) => each.variant).join(", ") || "none";
  if (variant === null) {
    throw refused("nothing_better", {
      message: "Cannot choose what to install: for this computer nothing is better than what is " +
        `here. Name one of: ${known}`,
      values: {},
    });
  }
  throw new AppError(
    "runtime_not_found",
    `Cannot install "${variant.slice(0, 40)}": there is no such build for this computer. ` +
      `Choose one of: ${known}`,
    { values: { name: variant.slice(0, 40) } },
  );
}

function nameOf({ path }: Runtime): string {
  return basename(dirname(path));
}

function refused(
  why: string,
  { message, values }: { message: string; values: Record<string, string | number> },
): AppError {
  return new AppError("runtime_refused", message, { values: { ...values, reason: why } });
}

function tooOldOrBroken({ name }: RuntimeRow, reason: string, cause?: unknown): AppError {
  return new AppError("runtime_refused", `Cannot use "${name}": ${reason}`, {
    values: { name, reason: "unusable" },
    cause,
  });
}

// What this computer's speed is known by: its memory's bandwidth, that of its cards, and how far real
// answers were from what was expected. It learns from answers that go through anyway.

import type { RuntimeInfo } from "../api_types.ts";
import { AppError, messageOf } from "../errors.ts";
import type { Hardware } from "../hardware/hardware.ts";
import { slowestNominalBandwidth } from "../hardware/nominal_bandwidth.ts";
import { RamBandwidth } from "../hardware/ram_bandwidth.ts";
import type { Log } from "../log.ts";
import type { Model } from "../models/model.ts";
import type { Registry } from "../models/registry.ts";
import { gpuPart } from "../orchestrator/fit.ts";
import { gpuRoom } from "../orchestrator/gpu_room.ts";
import type { Orchestrator } from "../orchestrator/orchestrator.ts";
import type { Placement } from "../orchestrator/placement.ts";
import { expectedTokensPerSecond } from "../orchestrator/speed.ts";
import { SpeedCorrections } from "../orchestrator/speed_corrections.ts";
import type { HostPort } from "../runtime/host_port.ts";
import type { SpeedReader } from "./fits.ts";
import type { TokenCounts } from "./token_counts.ts";

export interface SpeedsParts {
  host: Pick<HostPort, "call">;
  hardware: Pick<Hardware, "snapshot">;
  registry: { measurements: Pick<Registry["measurements"], "get" | "set"> };
  orchestrator: Pick<Orchestrator, "entry" | "entries">;
  runtime(): Pick<RuntimeInfo, "devices">;
  log: Log;
  /** How long what was learnt may be lost by a crash. */
  saveAfterMs?: number;
}

const NAME = "speed_corrections";
/** Seldom: a power cut costs a minute of learning, a write for each answer would cost speed. */
const SAVE_AFTER_MS = 60_000;

export class Speeds implements SpeedReader, Disposable {
  readonly #parts: SpeedsParts;
  readonly #ram: RamBandwidth;
  #corrections: SpeedCorrections | null = null;
  #saveTimer: ReturnType<typeof setTimeout> | null = null;
  #isClosed = false;

  constructor(parts: SpeedsParts) {
    this.#parts = parts;
    this.#ram = new RamBandwidth({
      store: parts.registry.measurements,
      snapshot: () => parts.hardware.snapshot(),
      measure: (threads) => parts.host.call("bandwidth", { threads }),
      isAnswering: () => this.#isWorking(),
      onFailure: (message, cause) => {
        // A measurement that the end of the server overtook is nobody's failure.
        if (!this.#isClosed) parts.log.warn(message, { reason: messageOf(cause) });
      },
    });
  }

  /** Bytes per second; asked for the first time it is measured, in the background. */
  ramBytesPerSecond(): number | null {
    return this.#ram.wanted();
  }

  gpuBytesPerSecond(names: readonly string[]): number | null {
    return slowestNominalBandwidth(names);
  }

  correctionFor({ id }: { id: string | null }): number {
    return this.#learnt().factorOf(id);
  }

  /** An answer has ended and its lease is given back: what it reached is learnt, if it was alone. */
  answered(model: Model, tokens: TokenCounts): void {
    if (tokens.tokensPerSecond === null || this.#isWorking()) return;
    const placement = this.#parts.orchestrator.entry(model.id)?.placement ?? null;
    const expected = placement === null ? null : this.#expected(model, { placement, tokens });
    if (expected === null) return;
    this.#learnt().learn(model.id, tokens.tokensPerSecond / expected);
    this.#saveTimer ??= setTimeout(() => this.#save(), this.#parts.saveAfterMs ?? SAVE_AFTER_MS);
  }

  /** Writes what was learnt last. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    if (this.#saveTimer !== null) this.#save();
  }

  // Without correction, and for the conversation that it was.
  #expected(
    { facts }: Model,
    { placement, tokens }: { placement: Placement; tokens: TokenCounts },
  ): number | null {
    const { reading } = this.#parts.hardware.snapshot();
    if (facts === null || reading === null || placement.layersOnGpu === null) return null;
    const ramBytesPerSecond = this.#ram.known();
    const gpu = gpuRoom(this.#parts.runtime().devices, reading.gpus);
    const names = gpu?.devices.map((device) => device.name) ?? [];
    const gpuBytesPerSecond = slowestNominalBandwidth(names);
    const { contextTokens, cacheTypeK, cacheTypeV, threads } = placement;
    return expectedTokensPerSecond({
      facts,
      contextTokens,
      liveTokens: (tokens.promptTokens ?? 0) + (tokens.completionTokens ?? 0) / 2,
      cacheTypeK,
      cacheTypeV,
      gpu: gpuPart({ gpu, gpuBytesPerSecond, ramBytesPerSecond }, placement),
      ramBytesPerSecond,
      correction: 1,
      cpu: { threads, features: reading.cpu.features },
    });
  }

  /** A model answers or is being loaded. */
  #isWorking(): boolean {
    for (const entry of this.#parts.orchestrator.entries()) {
      if (entry.busy || entry.instance.state === "loading") return true;
    }
    return false;
  }

  #learnt(): SpeedCorrections {
    return this.#corrections ??= new SpeedCorrections(this.#parts.registry.measurements.get(NAME));
  }

  #save(): void {
    if (this.#saveTimer !== null) clearTimeout(this.#saveTimer);
    this.#saveTimer = null;
    try {
      this.#parts.registry.measurements.set(NAME, this.#learnt().saved());
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#parts.log.warn("Cannot keep what was learnt of the speed", {
        reason: messageOf(error),
      });
    }
  }
}

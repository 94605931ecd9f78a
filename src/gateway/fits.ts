// Whether a model suits this computer, for every list that shows it: gathers what is known of the
// machine at this moment and asks `planFit`. It decides nothing.

import type { ModelSettings, RuntimeInfo } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { Hardware } from "../hardware/hardware.ts";
import type { GgufFacts } from "../models/gguf.ts";
import { DEFAULT_MODEL_SETTINGS } from "../models/model_settings.ts";
import { type FitAnswer, type FitMachine, type FitOptions, planFit } from "../orchestrator/fit.ts";
import { withFreed } from "../orchestrator/gpu_room.ts";
import { machineOf } from "../orchestrator/machine.ts";
import type { Orchestrator } from "../orchestrator/orchestrator.ts";
import type { HostPort } from "../runtime/host_port.ts";

/** What was measured and learnt of this machine's speed; null = not yet, or unknown. */
export interface SpeedReader {
  /** By as many threads as an instance has. */
  ramBytesPerSecond(): number | null;
  /** Of the slowest of these, by their names. */
  gpuBytesPerSecond(names: readonly string[]): number | null;
  /** Real speed by expected speed; 1 = nothing learnt. */
  correctionFor(model: { id: string | null; facts: GgufFacts }): number;
}

export interface FitsParts {
  host: Pick<HostPort, "call">;
  hardware: Pick<Hardware, "snapshot" | "update">;
  orchestrator: Pick<Orchestrator, "entry" | "heldBeside" | "poolsOf">;
  runtime(): Pick<RuntimeInfo, "devices" | "build">;
  speeds: SpeedReader;
}

export interface FitOfOptions {
  /** Of a model that is in the library: what it holds already is not held against it. */
  id?: string;
  /** Size of the projector's file. */
  mmprojBytes?: number;
  settings?: ModelSettings;
}

interface Remembered {
  /** All that the answer followed from, but for the facts. */
  from: string;
  answer: FitAnswer;
}

/** Who asks again within this time gets the same machine. */
const READING_MS = 1_000;

export class Fits {
  readonly #parts: FitsParts;
  #reading: Promise<void> | null = null;
  #readAtMs = -Infinity;
  /** Lists are read again and again while little changes. */
  readonly #remembered = new WeakMap<GgufFacts, Remembered>();

  constructor(parts: FitsParts) {
    this.#parts = parts;
  }

  /**
   * Before a list is shown: readings come by themselves only while someone watches, and what was
   * free some time ago tells nothing of now.
   */
  upToDate(): Promise<void> {
    if (performance.now() - this.#readAtMs < READING_MS) return Promise.resolve();
    return this.#reading ??= this.#read().finally(() => this.#reading = null);
  }

  async #read(): Promise<void> {
    const { host, hardware } = this.#parts;
    hardware.update(await host.call("reading", { disk: false }));
    this.#readAtMs = performance.now();
  }

  /** Null before the first reading of the machine, and for settings that cannot be. */
  of(facts: GgufFacts, options: FitOfOptions = {}): FitAnswer | null {
    const machine = this.#machine(options.id ?? null);
    if (machine === null) return null;
    const asked = {
      settings: options.settings ?? DEFAULT_MODEL_SETTINGS,
      mmprojBytes: options.mmprojBytes ?? 0,
      correction: this.#parts.speeds.correctionFor({ id: options.id ?? null, facts }),
      running: this.#running(options.id ?? null)?.placement ?? null,
    };
    const from = JSON.stringify([machine, asked]);
    const known = this.#remembered.get(facts);
    if (known?.from === from) return known.answer;
    const answer = planned(machine, { facts, ...asked });
    if (answer !== null) this.#remembered.set(facts, { from, answer });
    return answer;
  }

  /** This computer as it would be without that model. */
  #machine(id: string | null): FitMachine | null {
    const { hardware, orchestrator, runtime, speeds } = this.#parts;
    const snapshot = hardware.snapshot();
    if (snapshot.reading === null) return null;
    const held = orchestrator.heldBeside(id);
    const machine = machineOf({ ...held, snapshot, runtime: runtime() });
    const own = this.#running(id)?.pools ?? { ramBytes: 0, vramBytes: 0 };
    const names = machine.gpu?.devices.map((device) => device.name) ?? [];
    return {
      ...machine,
      availableBytes: machine.availableBytes === null
        ? null
        : machine.availableBytes + own.ramBytes,
      gpu: withFreed(machine.gpu, own.vramBytes),
      ramBytesPerSecond: speeds.ramBytesPerSecond(),
      gpuBytesPerSecond: names.length === 0 ? null : speeds.gpuBytesPerSecond(names),
    };
  }

  #running(id: string | null) {
    const entry = id === null ? null : this.#parts.orchestrator.entry(id);
    const pools = entry === null ? null : this.#parts.orchestrator.poolsOf(entry);
    return pools === null ? null : { pools, placement: entry!.placement };
  }
}

// Settings are checked when they are set; a row that another program wrote must not break a list.
function planned(machine: FitMachine, options: FitOptions): FitAnswer | null {
  try {
    return planFit(machine, options);
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}

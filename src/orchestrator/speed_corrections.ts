// How far answers were from the speed that was expected of them, for each model and for this computer
// as a whole (pure). Where it is kept, and which answers count, is the gateway's.

interface Learnt {
  /** Real speed by expected speed. */
  factor: number;
  /** Answers that it was learnt from, as far as that matters. */
  count: number;
}

const LEAST_FACTOR = 0.2;
const MOST_FACTOR = 3;
/** What a new answer counts: of a model's first ones more, since nothing speaks against it. */
const MODEL_WEIGHT = 0.25;
/** One model alone must not say how fast all others are. */
const MACHINE_WEIGHT = 0.1;
/** Those that answered last are kept. */
const MOST_MODELS = 200;

export class SpeedCorrections {
  readonly #models = new Map<string, Learnt>();
  #machine: Learnt = { factor: 1, count: 0 };

  /** From what `saved` gave; anything else counts as nothing. */
  constructor(saved: unknown = null) {
    const { machine, models } = fieldsOf(saved);
    this.#machine = learntFrom(machine) ?? this.#machine;
    for (const [id, value] of Object.entries(fieldsOf(models)).slice(-MOST_MODELS)) {
      const learnt = learntFrom(value);
      if (learnt !== null) this.#models.set(id, learnt);
    }
  }

  /** The model's own; that of the computer for one that has not answered yet; 1 = nothing learnt. */
  factorOf(modelId: string | null): number {
    return (modelId === null ? undefined : this.#models.get(modelId))?.factor ??
      this.#machine.factor;
  }

  learn(modelId: string, ratio: number): void {
    if (!(ratio > 0)) return;
    const model = moved(this.#models.get(modelId) ?? null, { ratio, weight: MODEL_WEIGHT });
    this.#models.delete(modelId);
    this.#models.set(modelId, model);
    if (this.#models.size > MOST_MODELS) this.#models.delete(this.#models.keys().next().value!);
    this.#machine = moved(this.#machine, { ratio, weight: MACHINE_WEIGHT });
  }

  saved(): Record<string, unknown> {
    return { machine: this.#machine, models: Object.fromEntries(this.#models) };
  }
}

/** Twice too fast and twice too slow weigh the same. */
function moved(before: Learnt | null, { ratio, weight }: { ratio: number; weight: number }) {
  const bounded = clamped(ratio);
  if (before === null || before.count === 0) return { factor: bounded, count: 1 };
  const share = Math.max(weight, 1 / (before.count + 1));
  const factor = Math.exp(Math.log(before.factor) * (1 - share) + Math.log(bounded) * share);
  return { factor: clamped(factor), count: Math.min(before.count + 1, Math.ceil(1 / weight)) };
}

function clamped(factor: number): number {
  return Math.min(MOST_FACTOR, Math.max(LEAST_FACTOR, factor));
}

function learntFrom(value: unknown): Learnt | null {
  const { factor, count } = fieldsOf(value);
  const isLearnt = typeof factor === "number" && factor > 0 && Number.isSafeInteger(count) &&
    Number(count) >= 0;
  return isLearnt ? { factor: clamped(factor), count: Number(count) } : null;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

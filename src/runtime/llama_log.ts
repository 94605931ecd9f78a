// What llama-server's log says of one process: state, progress, memory, last lines. It reads and
// keeps; why a process failed is llama_failure.ts, what follows of it the instance's.

import { type BufferKind, isStamped, parseLlamaLine } from "./llama_log_line.ts";

export { classifyFailure, type LlamaExit, type LlamaFailure } from "./llama_failure.ts";

/** Lines that are kept for the error and for the log route. */
export const KEPT_LINES = 50;
const LONGEST_LINE = 500;
/** `CPU_Mapped`, `CPU_REPACK`, `AMX`, and what drivers keep of the RAM: `Host`, `CUDA_Host`. */
const IN_RAM = /^(?:CPU|AMX|BLAS)|Host$/;

// deno-lint-ignore no-control-regex -- colours and bells of a log must not reach a terminal
const CONTROLS = /\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]/g;

/**
 * Once it answers, llama-server writes lines without a stamp only for two reasons: it dies, or it
 * repeats a text of a request, such as a grammar that is wrong. The second must not be kept.
 */
const LAST_WORDS =
  /GGML_ASSERT|GGML_ABORT|ggml_abort|terminate called|what\(\)|[Ss]egmentation|Aborted|CUDA error|cudaMalloc|allocat|error while loading|failed to fork|^#\d+ /;

/**
 * Of a request that it refuses, llama-server writes the whole error, in which stands what was sent: tools,
 * fields, parts of a prompt.
 */
const OF_A_REQUEST = /got exception:|\{\s*["\\]/;

export type LogListener = (line: string) => void;

export class LlamaLog {
  #state: "loading" | "ready" = "loading";
  #progress: number | null = null;
  #address: string | null = null;
  #lastError: string | null = null;
  readonly #buffers = new Map<string, Map<BufferKind, number>>();
  // A ring: at thousands of lines per second nothing is shifted.
  readonly #lines: string[] = [];
  #next = 0;
  readonly #listeners = new Set<LogListener>();

  get state(): "loading" | "ready" {
    return this.#state;
  }
  /** 0 to 1; null until the process says it. */
  get progress(): number | null {
    return this.#progress;
  }
  /** Where it listens, as it says itself; null until then. */
  get address(): string | null {
    return this.#address;
  }
  /** The message of the last line that was an error. */
  get lastError(): string | null {
    return this.#lastError;
  }

  /** Bytes by device (`CPU_Mapped`, `CPU_REPACK`, `CUDA0`, `Host`), as far as logged. */
  get memoryByDevice(): ReadonlyMap<string, number> {
    const byDevice = new Map<string, number>();
    for (const [device, kinds] of this.#buffers) {
      byDevice.set(device, [...kinds.values()].reduce((sum, bytes) => sum + bytes, 0));
    }
    return byDevice;
  }

  /**
   * All buffers together; null until the weights and the work space are known, since half of a sum
   * would be taken for the whole. llama-server prints them from log level 4 on.
   */
  get memoryBytes(): number | null {
    const kinds = new Set([...this.#buffers.values()].flatMap((each) => [...each.keys()]));
    if (!kinds.has("model") || !kinds.has("compute")) return null;
    return [...this.memoryByDevice.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Of `memoryBytes`, what is on GPUs. */
  get gpuBytes(): number {
    let bytes = 0;
    for (const [device, each] of this.memoryByDevice) if (!IN_RAM.test(device)) bytes += each;
    return bytes;
  }

  /** Oldest first, at most 50, none longer than 500 characters. */
  get lastLines(): string[] {
    return [...this.#lines.slice(this.#next), ...this.#lines.slice(0, this.#next)];
  }

  /** Takes one line of the process's output or errors, in the order they came. */
  take(raw: string): void {
    const isServing = this.#state === "ready";
    const text = isServing ? withoutRequest(raw) : raw;
    const line = cleaned(text);
    if (line === "") return;
    if (isServing && !isStamped(line) && !LAST_WORDS.test(line)) return;
    this.#note(text);
    this.#lines[this.#next] = line;
    this.#next = (this.#next + 1) % KEPT_LINES;
    for (const listener of this.#listeners) listener(line);
  }

  /** Every line from now on; the returned function ends it. */
  follow(listener: LogListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #note(line: string): void {
    const event = parseLlamaLine(line);
    switch (event?.type) {
      case "state":
        if (this.#state === "ready") break;
        this.#state = event.state;
        this.#progress = event.progress;
        break;
      case "listening":
        this.#address = event.address;
        break;
      case "error":
        this.#lastError = cleaned(event.message);
        break;
      case "probed":
        this.#buffers.clear();
        break;
      case "buffer":
        if (this.#state === "loading") this.#addBuffer(event);
        break;
    }
  }

  // The same device and kind comes several times: one line for each file, cache or piece.
  #addBuffer({ device, kind, bytes }: { device: string; kind: BufferKind; bytes: number }): void {
    const kinds = this.#buffers.get(device) ?? new Map<BufferKind, number>();
    this.#buffers.set(device, kinds.set(kind, (kinds.get(kind) ?? 0) + bytes));
  }
}

function withoutRequest(line: string): string {
  const found = OF_A_REQUEST.exec(line);
  if (found === null) return line;
  const kept = found[0].startsWith("{") ? found.index : found.index + found[0].length;
  return `${line.slice(0, kept).trimEnd()} (what a request held is not kept)`;
}

function cleaned(line: string): string {
  return line.slice(0, 4 * LONGEST_LINE).replace(CONTROLS, "").slice(0, LONGEST_LINE).trimEnd();
}

// One line of llama-server's output as a typed event (pure). Seen with builds 11669 and before:
// what is not recognised is no event, so a changed line costs a figure and never a load.

/** What the memory of a buffer is for, in llama-server's own word. */
export type BufferKind = "model" | "KV" | "RS" | "compute" | "output" | "LoRA";

export type LlamaLogEvent =
  /** The line that it writes for a parent process; `progress` is 0 to 1, or null where unknown. */
  | { type: "state"; state: "loading" | "ready"; progress: number | null }
  /** `http://127.0.0.1:PORT` or `unix://PATH`. */
  | { type: "listening"; address: string }
  | { type: "buffer"; device: string; kind: BufferKind; bytes: number }
  /** What was logged of buffers until now was an estimate: the real load begins. */
  | { type: "probed" }
  | { type: "error"; message: string };

const STATE_PREFIX = "cmd_child_to_router:state:";
const STAMPED = /^(?:\d+\.)+\d+ ([A-Z]) +(.*)$/;
const BUFFER =
  /(?:^|\s)(\S+)\s+(model|KV|RS|compute|output|LoRA) buffer size\s*=\s*(\d+(?:\.\d+)?) MiB/;
const LISTENING = /\blistening on ((?:https?|unix):\/\/\S+)/;
const PROBED = /fitting params to free memory took|successfully fit params/;
const MIB = 1024 ** 2;
/** One file is the largest thing that a model can be; a larger number is no size. */
const MOST_BUFFER_BYTES = 2 ** 50;

export function parseLlamaLine(line: string): LlamaLogEvent | null {
  if (line.startsWith(STATE_PREFIX)) return parseState(line.slice(STATE_PREFIX.length));
  const [, level, text = line] = STAMPED.exec(line) ?? [];
  if (level === "E" || (level === undefined && text.startsWith("error"))) {
    return { type: "error", message: text.replace(/^(?:srv|cmn|slot)\s+\S+?: /, "") };
  }
  const buffer = BUFFER.exec(text);
  if (buffer !== null) {
    const bytes = Math.round(Number(buffer[3]) * MIB);
    if (bytes > MOST_BUFFER_BYTES) return null;
    return { type: "buffer", device: buffer[1]!, kind: buffer[2] as BufferKind, bytes };
  }
  const listening = LISTENING.exec(text);
  if (listening !== null) return { type: "listening", address: listening[1]! };
  return PROBED.test(text) ? { type: "probed" } : null;
}

/** False for what a library or a crash writes, or a text of more than one line. */
export function isStamped(line: string): boolean {
  return STAMPED.test(line);
}

function parseState(json: string): LlamaLogEvent | null {
  const message = parseJson(json);
  // A very long line arrives cut: the word itself comes first.
  const state = message?.state ?? /^\{"state":"([a-z]+)"/.exec(json)?.[1];
  if (state !== "loading" && state !== "ready") return null;
  return { type: "state", state, progress: state === "ready" ? 1 : progressOf(message?.payload) };
}

function parseJson(json: string): { state?: unknown; payload?: unknown } | null {
  try {
    return JSON.parse(json);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** `{"stages":["text_model"],"current":"text_model","value":0.5}`: each stage counts the same. */
function progressOf(payload: unknown): number | null {
  if (typeof payload !== "object" || payload === null) return null;
  const { stages, current, value } = payload as Record<string, unknown>;
  if (!Array.isArray(stages) || typeof value !== "number") return null;
  const done = stages.indexOf(current);
  if (done < 0 || !(value >= 0 && value <= 1)) return null;
  return (done + value) / stages.length;
}

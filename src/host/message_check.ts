// The form of every message that the server may send: checked before the host acts on it. One that is
// not of its form has no effect but a line in the log. Whether its values are allowed is host.ts's,
// launch.ts's and model_paths.ts's.

import type { AppErrorData, ErrorCode, ErrorValues } from "../errors.ts";
import { LOG_LEVELS } from "../log.ts";
import {
  either,
  finite,
  flag,
  type Form,
  isPlain,
  listOf,
  object,
  oneOf,
  optional,
  orNull,
  plainObject,
  text,
  whole,
} from "./form.ts";
import { CACHE_TYPES, type HostCallName, type HostCalls, type ToHost } from "./messages.ts";

const NUMBER = whole(0, Number.MAX_SAFE_INTEGER);
/** Longer than any system's paths. */
const PATH = text(32_768);
const WORD = text(256);
/** No system takes a longer argument. */
const ARGUMENT = text(1024 * 1024);
const PORT = whole(0, 65_535);

// Ranges of these numbers are launch.ts's: its sentences are for users.
const LAUNCH = object<HostCalls["start"]["params"]["launch"]>({
  place: finite(),
  token: WORD,
  key: WORD,
  alias: text(4_096),
  modelPath: PATH,
  mmprojPath: orNull(PATH),
  mode: oneOf(["chat", "embedding", "rerank"]),
  contextTokens: finite(),
  parallel: finite(),
  threads: finite(),
  gpuLayers: either(finite(), oneOf(["auto"])),
  batchTokens: finite(),
  ubatchTokens: finite(),
  cacheTypeK: orNull(oneOf(CACHE_TYPES)),
  cacheTypeV: orNull(oneOf(CACHE_TYPES)),
  cacheRamMiB: finite(),
  httpThreads: finite(),
  logVerbosity: oneOf([1, 4]),
  chatTemplate: orNull(ARGUMENT),
  loraPaths: listOf(PATH, 1_024),
  draftModelPath: orNull(PATH),
  memoryBytes: orNull(finite()),
  extraArgs: listOf(ARGUMENT, 4_096),
});

/** What each call is given. */
const PARAMS: { readonly [K in HostCallName]: Form<HostCalls[K]["params"]> } = {
  start: object({ id: NUMBER, launch: LAUNCH }),
  stop: object({ id: NUMBER, graceMs: whole(0, 600_000) }),
  command: object({ launch: LAUNCH }),
  reading: object({ disk: flag() }),
  bandwidth: object({ threads: whole(1, 4_096) }),
  processes: object<Record<never, never>>({}),
  reap: object({
    rows: listOf(
      object({
        pid: orNull(finite()),
        startTime: orNull(WORD),
        boot: WORD,
        token: WORD,
      }),
      100_000,
    ),
  }),
  runtime: object({ retry: flag() }),
  runtimes: object<Record<never, never>>({}),
  // Names and variants are held against lists by runtimes.ts.
  installRuntime: object({ variant: orNull(WORD), latest: flag(), unverified: flag() }),
  cancelRuntime: object({ variant: orNull(WORD) }),
  useRuntime: object({ build: WORD }),
  removeRuntime: object({ build: WORD }),
  departed: object({
    connections: listOf(
      object({ id: NUMBER, localPort: PORT, remoteAddress: WORD, remotePort: PORT }),
      100_000,
    ),
  }),
};

const ANY_VALUES = plainObject({ most: 256, mostLength: 64 * 1024, depth: 2 });
const ERROR = object<AppErrorData>({
  code: WORD as Form<ErrorCode>,
  message: text(64 * 1024),
  values: ANY_VALUES as Form<ErrorValues>,
  param: optional(WORD),
  retryAfterSeconds: optional(finite()),
});

type Message<K extends ToHost["type"]> = Extract<ToHost, { type: K }>;

/** What each message holds besides its type. A call's own params are `PARAMS`'s. */
const MESSAGES: {
  readonly [K in Exclude<ToHost["type"], "call">]: Form<Omit<Message<K>, "type">>;
} = {
  watch: object({ on: flag() }),
  heartbeat: object<Record<never, never>>({}),
  listening: object({ address: WORD, port: PORT }),
  log: object({
    entry: object({
      time: finite(),
      level: oneOf(LOG_LEVELS),
      part: WORD,
      message: text(64 * 1024),
      fields: plainObject({ most: 10_000, mostLength: 1024 * 1024, depth: 8 }),
    }),
  }),
  fatal: object({ error: ERROR }),
  drained: object<Record<never, never>>({}),
};

export interface WrongMessage {
  /** One of a few: the message's type, or the call's name; what is neither is `unknown`. */
  kind: string;
  /** What is wrong, in our own words: nothing of the message is in it. */
  problem: string;
  /** The call's number, where somebody may wait for its answer. */
  call: number | null;
}

/** Null for a message that is of its form: it is a `ToHost`. */
export function wrongMessage(message: unknown): WrongMessage | null {
  if (!isPlain(message)) return { kind: "unknown", problem: "not an object", call: null };
  const { type, ...rest } = message;
  if (type === "call") return wrongCall(rest);
  if (typeof type !== "string" || !Object.hasOwn(MESSAGES, type)) {
    return { kind: "unknown", problem: "of no known type", call: null };
  }
  const problem = MESSAGES[type as keyof typeof MESSAGES].problem(rest);
  return problem === null ? null : { kind: type, problem, call: null };
}

function wrongCall(message: Record<string, unknown>): WrongMessage | null {
  const { call, name, params } = message;
  const number = NUMBER.problem(call) === null ? call as number : null;
  if (typeof name !== "string" || !Object.hasOwn(PARAMS, name)) {
    return { kind: "unknown", problem: "a call of no known name", call: number };
  }
  const form = object<{ call: number; name: string; params: never }>({
    call: NUMBER,
    name: WORD,
    params: PARAMS[name as HostCallName] as Form<never>,
  });
  const problem = form.problem({ call, name, params, ...message });
  return problem === null ? null : { kind: name, problem, call: number };
}

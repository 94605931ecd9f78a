// Messages of every kind that a server sends, and what becomes of them when something else speaks in
// its place: each field gone, doubled, or of another type.

import type { ToHost } from "../../src/host/messages.ts";
import { KEY, launchSpec, TOKEN } from "./launch_specs.ts";

/** One of each, with values that nothing may come of: no file, no process, no address is real. */
export const SAMPLES: readonly ToHost[] = [
  { type: "call", call: 1, name: "start", params: { id: 1, launch: launchSpec() } },
  { type: "call", call: 2, name: "stop", params: { id: 77, graceMs: 5_000 } },
  {
    type: "call",
    call: 3,
    name: "command",
    params: {
      launch: launchSpec({
        gpuLayers: 3,
        cacheTypeK: "q8_0",
        chatTemplate: "{{ x }}",
        mmprojPath: "/models/eye.gguf",
        draftModelPath: "/models/small.gguf",
        loraPaths: ["/models/lora.gguf"],
        extraArgs: ["--temp", "1"],
      }),
    },
  },
  { type: "call", call: 4, name: "reading", params: { disk: true } },
  { type: "call", call: 5, name: "bandwidth", params: { threads: 2 } },
  { type: "call", call: 6, name: "processes", params: {} },
  {
    type: "call",
    call: 7,
    name: "reap",
    params: { rows: [{ pid: 1, startTime: "1", boot: "b", token: TOKEN }] },
  },
  { type: "call", call: 8, name: "runtime", params: { retry: false } },
  {
    type: "call",
    call: 9,
    name: "departed",
    params: {
      connections: [{ id: 1, localPort: 1, remoteAddress: "127.0.0.1", remotePort: 2 }],
    },
  },
  { type: "call", call: 10, name: "runtimes", params: {} },
  {
    type: "call",
    call: 11,
    name: "installRuntime",
    params: { variant: "cpu", latest: false, unverified: true },
  },
  { type: "call", call: 12, name: "useRuntime", params: { build: "llama-b1" } },
  { type: "call", call: 13, name: "removeRuntime", params: { build: "llama-b1" } },
  { type: "call", call: 14, name: "cancelRuntime", params: { variant: "vulkan" } },
  { type: "watch", on: true },
  { type: "heartbeat" },
  { type: "listening", address: "127.0.0.1", port: 1 },
  {
    type: "log",
    entry: {
      time: 1,
      level: "info",
      part: "x",
      message: "said",
      fields: { model: "m", list: [1] },
    },
  },
  { type: "fatal", error: { code: "internal", message: "x", values: { a: 1 }, param: "p" } },
  { type: "drained" },
];

/** Every message that differs from `message` in one place such that it is no longer of its form. */
export function* damaged(message: unknown): Generator<unknown> {
  yield* changes(message, []);
}

type Path = readonly (string | number)[];

function* changes(value: unknown, path: Path): Generator<unknown> {
  // What a log line carries is free: only what it is made of is not.
  const isFree = ["fields", "values"].includes(String(path[0])) || path.includes("fields") ||
    path.includes("values");
  // What may be left out may also be there without a value.
  const mayLack = path.at(-1) === "param";
  for (const other of isFree ? [] : wrongInstead(value, path)) {
    if (other !== undefined || !mayLack) yield other;
  }
  if (Array.isArray(value)) {
    for (const [index, each] of value.entries()) {
      for (const changed of changes(each, [...path, index])) yield value.with(index, changed);
    }
    if (isFree) return;
    const holey = [...value];
    delete holey[0];
    holey.length = value.length + 1;
    yield holey;
    yield Object.assign([...value], { extra: 1 });
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [name, each] of Object.entries(value)) {
    for (const changed of changes(each, [...path, name])) yield { ...value, [name]: changed };
    if (isFree || name === "param") continue;
    const { [name as never]: _, ...without } = value;
    yield without;
  }
  if (isFree) return;
  yield { ...value, extra: 1 };
  yield { ...value, constructor: { prototype: {} } };
  // A field of its own with this name, as structured clones can have it.
  yield Object.defineProperty({ ...value }, "__proto__", {
    value: { admin: true },
    enumerable: true,
  });
  yield Object.assign(new Map(), value);
  yield new Map(Object.entries(value));
}

/** Longer than any text may be. */
const LONG = "x".repeat(1024 * 1024 + 1);

function wrongInstead(value: unknown, path: Path): unknown[] {
  const never = [undefined, new Date(0), 10n, /x/, new Map()];
  const name = String(path.at(-1));
  const nothing = NULLABLE.has(name) ? [] : [null];
  switch (typeof value) {
    case "string": {
      const odd = [true, {}, [], new String(value), LONG, ...nothing];
      const words = path.length === 1 && ["type", "name"].includes(name)
        ? ["constructor", "__proto__", "toString"]
        : [];
      return [...never, ...odd, ...words, ...name === "gpuLayers" ? [] : [1]];
    }
    case "number":
      return [...never, true, {}, [], "1x", NaN, Infinity, ...nothing];
    case "boolean":
      return [...never, 1, 0, "true", null, {}];
    default:
      return value === null ? [...never, true, {}, NaN] : [...never, true, 1, "x", null];
  }
}

const NULLABLE: ReadonlySet<string> = new Set([
  ...["mmprojPath", "cacheTypeK", "cacheTypeV", "chatTemplate", "draftModelPath"],
  ...["memoryBytes", "pid", "startTime", "variant"],
]);

/** Of their form, and nothing that the host may do. */
export function forbidden(foreignPid: number, home: string): ToHost[] {
  const launches = [
    launchSpec({ modelPath: "/etc/passwd" }),
    launchSpec({ modelPath: "/bin/sh", alias: "--tools" }),
    launchSpec({ modelPath: `${home}/../secret` }),
    launchSpec({ modelPath: home }),
    launchSpec({ modelPath: `${home}/config.json\0.gguf` }),
    launchSpec({ place: 64 }),
    launchSpec({ place: -1 }),
    launchSpec({ place: 0.5 }),
    launchSpec({ token: "x", key: KEY }),
    launchSpec({ extraArgs: ["--tools", "all"] }),
    launchSpec({ chatTemplate: "--tools" }),
    launchSpec({ threads: 1e9 }),
  ];
  const rows = [foreignPid, -foreignPid, 1, 0, -1, null, 2.5, 2 ** 40].flatMap((pid) =>
    ["1", "", null].map((startTime) => ({ pid, startTime, boot: "", token: TOKEN }))
  );
  return [
    ...launches.map((launch, index): ToHost => ({
      type: "call",
      call: 1_000_000 + index,
      name: "start",
      params: { id: index + 1, launch },
    })),
    { type: "call", call: 1_000_100, name: "reap", params: { rows } },
    { type: "call", call: 1_000_101, name: "stop", params: { id: foreignPid, graceMs: 0 } },
    { type: "listening", address: "evil.example", port: 80 },
    { type: "listening", address: "127.0.0.1", port: 1 },
  ];
}

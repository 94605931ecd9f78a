// What the cage adds to a load: the same model loaded by two servers in turn, one with a cage and one without.
// Paired, since the machine's other work would else decide.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ask } from "./chat.ts";
import { Child } from "./child.ts";
import { findLlamaServer } from "./llama_server.ts";
import { print } from "./print.ts";
import { processTree } from "./process_tree.ts";
import { median } from "./rows.ts";

const MODES = ["require", "off"] as const;
type Mode = (typeof MODES)[number];

interface Measured extends AsyncDisposable {
  mode: Mode;
  loadMs: number[];
  loaded(): Promise<number>;
  unloaded(): Promise<void>;
  /** Of all that runs while the model is loaded, but for ourselves. */
  memoryMb(): number;
}

const TIMEOUT_MS = 30_000;

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      loads: { type: "string", default: "60" },
      "llama-server": { type: "string" },
    },
  });
  const loads = Number(values.loads);
  if (!Number.isSafeInteger(loads) || loads < 1) throw new Error("--loads takes a whole number");
  const folder = await mkdtemp(join(tmpdir(), "zombie-bench-cage-"));
  try {
    const llamaServer = await findLlamaServer(values["llama-server"] ?? null);
    await using stack = new AsyncDisposableStack();
    const servers: Measured[] = [];
    for (const mode of MODES) servers.push(stack.use(await start(mode, { folder, llamaServer })));
    const memory = new Map<Mode, number>();
    for (const server of servers) {
      await server.loaded();
      memory.set(server.mode, server.memoryMb());
      await server.unloaded();
    }
    for (let round = 0; round < loads; round++) {
      for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
        server.loadMs.push(await server.loaded());
        await server.unloaded();
      }
    }
    const [caged, bare] = servers as [Measured, Measured];
    const added = caged.loadMs.map((ms, round) => ms - bare.loadMs[round]!);
    for (const { mode, loadMs } of servers) {
      print(`--cage ${mode}: ${median(loadMs).toFixed(1)} ms, ${memory.get(mode)!.toFixed(1)} MB`);
    }
    const least = Math.min(...caged.loadMs) - Math.min(...bare.loadMs);
    const more = memory.get("require")! - memory.get("off")!;
    print(
      `The cage adds ${median(added).toFixed(1)} ms to a load (least ${least.toFixed(1)}) ` +
        `and ${more.toFixed(1)} MB, by the median of ${loads} pairs`,
    );
    return 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function start(
  mode: Mode,
  { folder, llamaServer }: { folder: string; llamaServer: string },
): Promise<Measured> {
  const own = join(folder, mode);
  await Deno.mkdir(own, { mode: 0o700 });
  const program = join(import.meta.dirname ?? ".", "..", "main.ts");
  const child = new Child(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-prompt", "--quiet", "--cached-only", "--no-code-cache", program],
      ...["serve", "--host", "127.0.0.1", "--port", "0", "--no-open", "--cage", mode],
      ...["--home", join(own, "home"), "--runtime-home", join(own, "runtime")],
      ...["--llama-server", llamaServer],
    ],
    env: { DENO_NO_UPDATE_CHECK: "1", XDG_RUNTIME_DIR: own },
    cwd: join(program, ".."),
    read: true,
  });
  const line = await child.line(/^ZombieCoder is ready at /, TIMEOUT_MS);
  const url = line.slice(line.lastIndexOf(" ") + 1);
  const post = async (action: string) => {
    const path = `${url}/admin/models/hello/${action}`;
    const { status, body } = await ask(path, { method: "POST", json: {} });
    if (status !== 200) throw new Error(`Cannot ${action}: ${body}`);
  };
  return {
    mode,
    loadMs: [],
    async loaded() {
      const startedMs = performance.now();
      await post("load");
      return performance.now() - startedMs;
    },
    unloaded: () => post("unload"),
    memoryMb() {
      const below = processTree(child.pid).filter(({ pid }) => pid !== child.pid);
      return below.reduce((sum, { rssBytes }) => sum + rssBytes, 0) / 1e6;
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

if (import.meta.main) Deno.exit(await main());

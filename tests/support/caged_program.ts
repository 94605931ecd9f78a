// Programs in a cage, started by the host's own code as it starts an instance: shows what holds.

import { createSocket } from "node:dgram";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findCageTools } from "../../src/host/cage.ts";
import { type CageProbeOptions, probeCage } from "../../src/host/cage_probe.ts";
import { librariesOf } from "../../src/host/cage_libraries.ts";
import type { Cage, CageKind } from "../../src/host/cage_view.ts";
import { writeTestModel } from "../../src/models/hello_model.ts";
import { architectureOf } from "../../src/host/seccomp.ts";
import {
  LOOKED_AT,
  NEVER,
  NEVER_BESIDE_OTHERS,
  NEVER_WITHOUT_GPU,
} from "../../src/host/seccomp_table.ts";
import { Children } from "./children.ts";
import { ENDLESS_MODEL } from "./gguf_files.ts";
import { landlockSetpriv } from "./landlock_setpriv.ts";
import { makeOwnFolder, testRuntime } from "./llama_server.ts";
import { tempDir } from "./temp_dir.ts";
import { testBwrap } from "./test_cage.ts";

/** The cage of this kind, found by the product's own search among programs that the tests have. */
export async function testCage(kind: Exclude<CageKind, "sandbox-exec">): Promise<Cage> {
  const { cage, reason } = await probeCage(await probeOptions(kind));
  if (cage?.kind !== kind) throw new Error(`No ${kind} here: ${reason}`);
  return cage;
}

export async function probeOptions(kind: CageKind | "none"): Promise<CageProbeOptions> {
  const folder = join(tmpdir(), `zombiecoder-test-cage-${Deno.uid() ?? "user"}`);
  await makeOwnFolder(folder);
  return {
    platform: "linux",
    tools: findCageTools("linux"),
    runtime: { path: await testRuntime(), devices: [], source: "flag" },
    folders: [folder],
    programs: {
      bwrap: kind === "bubblewrap" ? await testBwrap() : null,
      setpriv: kind === "landlock" ? await landlockSetpriv() : null,
      sandboxExec: null,
    },
  };
}

const SCRIPT = new URL("cage_attempts.ts", import.meta.url).pathname;

export interface Attempts {
  /** What came of an attempt; throws for one that was never made. */
  outcome(name: string): string;
  lines: readonly string[];
  /** Connections and packets that came from the cage. */
  arrived: number;
  /** The process that the program tried to end. */
  victimLives: boolean;
  ownModelUnchanged: boolean;
}

const made = new Map<string, Promise<Attempts>>();

/** Runs every attempt of cage_attempts.ts in such a cage, once for all tests of a file. */
export function attemptsIn(kind: "bubblewrap" | "landlock"): Promise<Attempts> {
  let attempts = made.get(kind);
  if (attempts === undefined) made.set(kind, attempts = makeAttempts(kind));
  return attempts;
}

async function makeAttempts(kind: "bubblewrap" | "landlock"): Promise<Attempts> {
  const cage = await testCage(kind);
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  for (const name of ["home", "own", "cache"]) Deno.mkdirSync(at(name));
  for (const name of ["home/own.gguf", "home/other.gguf"]) {
    await writeTestModel(at(name), ENDLESS_MODEL);
  }
  const before = Deno.readFileSync(at("home/own.gguf"));
  let arrived = 0;
  const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const unix = Deno.listen({ transport: "unix", path: at("unlisted.sock") });
  const udp = createSocket("udp4", () => arrived++);
  await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
  const watching = [tcp, unix].map(async (listener) => {
    for await (const connection of listener) {
      arrived++;
      connection.close();
    }
  });
  const victim = new Deno.Command("/bin/sleep", { args: ["600"], stdin: "null" }).spawn();
  await using children = new Children();
  const targets = {
    home: at("home"),
    ownModel: at("home/own.gguf"),
    otherModel: at("home/other.gguf"),
    socket: at("unlisted.sock"),
    ownFolder: at("own"),
    tcpPort: (tcp.addr as Deno.NetAddr).port,
    udpPort: udp.address().port,
    victim: victim.pid,
    calls: callNumbers(),
  };
  const program = Deno.execPath();
  const child = await children.start({
    program,
    args: ["run", "-A", "--quiet", "--no-remote", "--no-lock", SCRIPT, JSON.stringify(targets)],
    env: { NO_COLOR: "1", DENO_DIR: at("cache"), DENO_NO_UPDATE_CHECK: "1" },
    walls: {
      cage,
      view: {
        libraries: [
          ...librariesOf(program, { gpu: false, isOurs: false }),
          // Deno asks there for the size of its stack; bubblewrap has one of the cage's own.
          ...(kind === "landlock" ? ["/proc/self"] : []),
        ],
        files: [SCRIPT, targets.ownModel].map((path) => ({ path, real: path })),
        writable: at("own"),
        gpu: false,
        privateBytes: null,
      },
    },
  });
  await child.exited;
  const victimLives = await stillRuns(victim);
  victim.kill("SIGKILL");
  await victim.status;
  for (const listener of [tcp, unix]) listener.close();
  await new Promise<void>((resolve) => udp.close(resolve));
  await Promise.all(watching);
  const { lines } = child;
  if (lines.at(-1) !== "over") throw new Error(`It broke off:\n${lines.join("\n")}`);
  const after = Deno.readFileSync(at("home/own.gguf"));
  return {
    lines,
    arrived,
    victimLives,
    ownModelUnchanged: before.every((byte, index) => byte === after[index]),
    outcome(name) {
      const line = lines.find((each) => each.startsWith(`${name}: `));
      if (line === undefined) throw new Error(`Nobody tried "${name}":\n${lines.join("\n")}`);
      return line.slice(name.length + 2);
    },
  };
}

async function stillRuns(child: Deno.ChildProcess): Promise<boolean> {
  const ended = child.status.then(() => false);
  return await Promise.race([ended, new Promise<true>((resolve) => setTimeout(resolve, 50, true))]);
}

function callNumbers(): Record<string, number> {
  const architecture = architectureOf(Deno.build.arch)!;
  const [x86, execve] = architecture === "x86_64" ? [true, 59] : [false, 221];
  const rows = [...NEVER, ...NEVER_WITHOUT_GPU, ...NEVER_BESIDE_OTHERS].map((
    [name, first, second],
  ) => [name, x86 ? first : second]);
  const looked = Object.entries(LOOKED_AT).map(([name, each]) => [name, each[architecture]]);
  const known = [...rows, ...looked].filter(([, number]) => number !== null);
  return { ...Object.fromEntries(known), execve };
}

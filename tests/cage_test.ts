import assert from "node:assert/strict";
import { join } from "node:path";
import type { CageInfo } from "../src/api_types.ts";
import { AppError } from "../src/errors.ts";
import { bubblewrapWords } from "../src/host/bubblewrap.ts";
import { caged, findCageTools } from "../src/host/cage.ts";
import { CageKeeper } from "../src/host/cage_keeper.ts";
import { findCagePrograms, type FoundCage, probeCage } from "../src/host/cage_probe.ts";
import {
  type Cage,
  type CageView,
  librariesOf,
  privateMemoryBound,
} from "../src/host/cage_view.ts";
import type { Runtime } from "../src/host/find_runtime.ts";
import { Launcher } from "../src/host/launcher.ts";
import { TOKEN_VARIABLE } from "../src/host/probes/process_probe.ts";
import { profile } from "../src/host/sandbox_exec.ts";
import { classifyFailure } from "../src/runtime/llama_failure.ts";
import { probeOptions, testCage } from "./support/caged_program.ts";
import { Children } from "./support/children.ts";
import { startedWith } from "./support/instance_processes.ts";
import { isAlive } from "./support/model_processes.ts";
import { until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

const BUBBLEWRAP: Cage = {
  kind: "bubblewrap",
  program: "/usr/bin/bwrap",
  filters: { plain: "/rt/plain.bpf", gpu: "/rt/gpu.bpf" },
  sizes: true,
};
const VIEW: CageView = {
  libraries: ["/opt/llama"],
  files: [{ path: "/home/u/link.gguf", real: "/data/a.gguf" }],
  writable: "/tmp/s/00",
  gpu: false,
  privateBytes: 3e9,
};
const SERVER = ["/opt/llama/llama-server", "-m", "/home/u/link.gguf"];

function pairsAfter(words: readonly string[], flag: string): string[] {
  return words.flatMap((word, index) =>
    word === flag ? [`${words[index + 1]} ${words[index + 2]}`] : []
  );
}

Deno.test("bubblewrapWords() shows the libraries, the model under its own name, and one folder", () => {
  const words = bubblewrapWords(SERVER, { cage: BUBBLEWRAP, view: VIEW });
  assert.deepEqual(pairsAfter(words, "--ro-bind-try"), ["/opt/llama /opt/llama"]);
  assert.deepEqual(pairsAfter(words, "--ro-bind"), ["/data/a.gguf /home/u/link.gguf"]);
  assert.deepEqual(pairsAfter(words, "--bind"), ["/tmp/s/00 /tmp/s/00"]);
  for (const flag of ["--unshare-all", "--die-with-parent", "--cap-drop", "--hostname"]) {
    assert.ok(words.includes(flag), flag);
  }
  assert.deepEqual(words.slice(words.indexOf("--seccomp")), ["--seccomp", "3", "--", ...SERVER]);
  assert.ok(!words.some((word) => word.startsWith("/dev/") || word === "/sys"), "no device");
  assert.ok(!words.includes("--setenv"), "what is in the environment is in no argument");
});

Deno.test("bubblewrapWords() shows devices to a launch that uses a GPU alone, and bounds its folders", () => {
  const words = bubblewrapWords(SERVER, { cage: BUBBLEWRAP, view: { ...VIEW, gpu: true } });
  const devices = pairsAfter(words, "--dev-bind-try");
  for (
    const path of ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/kfd", "/dev/dri"]
  ) {
    assert.ok(devices.includes(`${path} ${path}`), path);
  }
  assert.ok(pairsAfter(words, "--ro-bind").includes("/sys /sys"));
  assert.deepEqual(pairsAfter(words, "--size").map((each) => each.split(" ")[1]), [
    "--tmpfs",
    "--tmpfs",
  ]);
  const tmp = words.indexOf("/tmp");
  assert.ok(tmp < words.indexOf("/home/u/link.gguf"), "a mount hides what was there before");
});

Deno.test("caged() wraps in a fixed order and hands the filter over by number 3", () => {
  const tools = { setpriv: "/usr/bin/setpriv", setsid: "/usr/bin/setsid", shell: "/bin/sh" };
  const [program, ...args] = SERVER as [string, ...string[]];
  const wanted = { program, args, env: { A: "1" }, walls: { cage: BUBBLEWRAP, view: VIEW } };
  const launchable = caged(wanted, tools);
  assert.equal(launchable.program, "/usr/bin/setsid");
  assert.deepEqual(launchable.args.slice(0, 2), ["/bin/sh", "-c"]);
  assert.deepEqual(launchable.args.slice(3, 9), [
    ...["sh", String(Deno.pid), "/rt/plain.bpf", String(Math.ceil(3e9 / 1024)), "walls"],
    "/usr/bin/bwrap",
  ]);
  const landlock: Cage = { ...BUBBLEWRAP, kind: "landlock", program: "/opt/setpriv" };
  const watched = caged({ ...wanted, walls: { cage: landlock, view: VIEW } }, tools);
  assert.deepEqual(watched.args.slice(0, 5), [
    ...["/usr/bin/setpriv", "--pdeathsig", "KILL", "--", "/bin/sh"],
  ]);
  assert.deepEqual(launchable.env, { A: "1" });
  assert.equal(launchable.detached, false);
  const bare = caged({ program, args, env: {} }, { setpriv: null, setsid: null, shell: null });
  assert.deepEqual([bare.program, ...bare.args, bare.detached], [...SERVER, true]);
});

Deno.test("profile() names files as text, whatever is in their names", () => {
  const hostile = '/Users/u/a"))(allow default)(deny (b.gguf';
  const text = profile("/opt/llama/llama-server", {
    ...VIEW,
    files: [{ path: hostile, real: "/Users/u/back\\slash.gguf" }],
  });
  assert.match(text, /^\(version 1\)\n\(deny default\)\n/);
  assert.ok(text.includes('(literal "/Users/u/a\\"))(allow default)(deny (b.gguf")'));
  assert.ok(text.includes('(literal "/Users/u/back\\\\slash.gguf")'));
  assert.doesNotMatch(text, /network-outbound|allow network\*|\(allow default\)\n/);
  assert.doesNotMatch(text, /iokit/);
  assert.match(profile("/opt/llama/llama-server", { ...VIEW, gpu: true }), /iokit-open/);
});

Deno.test("librariesOf() gives the folder of a build that brings all, else the system's, never its programs", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  for (const folder of ["own", "plain", "bin"]) {
    Deno.mkdirSync(at(folder));
    for (const name of ["llama-server", "libggml.so.0"]) {
      Deno.writeTextFileSync(at(`${folder}/${name}`), "");
    }
  }
  for (const name of ["ld-linux-x86-64.so.2", "libc.so.6"]) {
    Deno.writeTextFileSync(at(`own/${name}`), "");
  }
  Deno.writeTextFileSync(at("bin/sh"), "");
  const cpu = { gpu: false };
  assert.deepEqual(librariesOf(at("own/llama-server"), cpu), [at("own")]);
  const plain = librariesOf(at("plain/llama-server"), cpu);
  assert.ok(plain.includes("/usr/lib") && plain.includes(at("plain")));
  const shared = librariesOf(at("bin/llama-server"), cpu);
  assert.ok(!shared.includes(at("bin")), "a folder of programs has shells in it");
  assert.deepEqual(shared.slice(-2), [at("bin/llama-server"), at("bin/libggml.so.0")]);
  assert.ok(!shared.some((path) => /\/s?bin$/.test(path)));
  assert.ok(
    (librariesOf(at("own/llama-server"), { gpu: true })).includes("/usr/lib"),
    "drivers",
  );
});

Deno.test("privateMemoryBound() leaves room for any model that was let in", () => {
  const bound = (plannedBytes: number | null, totalBytes: number) =>
    privateMemoryBound({ plannedBytes, totalBytes, threads: 16 });
  assert.equal(bound(null, 16e9), null);
  assert.equal(bound(1e8, 16e9), 8e9);
  assert.ok(bound(14e9, 16e9)! > 28e9);
});

const RUNTIME = { path: "/opt/llama-server", version: "1", devices: [] } as unknown as Runtime;

Deno.test("CageKeeper looks once for each runtime, tells what it found, and never runs without where it must", async () => {
  const told: CageInfo[] = [];
  let probes = 0;
  let found: FoundCage = { cage: BUBBLEWRAP, reason: null };
  const keeper = (mode: CageInfo["mode"]) =>
    new CageKeeper({
      mode,
      probe: () => Promise.resolve((probes++, found)),
      onChange: (info) => told.push(info),
    });
  const auto = keeper("auto");
  assert.deepEqual(auto.info, { mode: "auto", active: null, reason: null });
  const all = await Promise.all([auto.for(RUNTIME), auto.for(RUNTIME), auto.for(RUNTIME)]);
  assert.deepEqual([all, probes, told.length], [[BUBBLEWRAP, BUBBLEWRAP, BUBBLEWRAP], 1, 1]);
  await auto.for({ ...RUNTIME, path: "/opt/other" });
  assert.equal(probes, 2);

  const off = keeper("off");
  assert.equal(await off.for(RUNTIME), null);
  assert.deepEqual([probes, off.info.reason], [2, "Switched off with --cage off"]);

  found = { cage: null, reason: "bubblewrap is not installed. Install it" };
  const without = keeper("auto");
  assert.equal(await without.for(RUNTIME), null);
  assert.equal(without.info.reason, found.reason);
  const must = keeper("require");
  const refused = (error: unknown) =>
    error instanceof AppError && error.code === "load_failed" &&
    error.message ===
      "Cannot load a model in a cage: bubblewrap is not installed. Install it";
  await assert.rejects(must.for(RUNTIME), refused);
  // Installed meanwhile.
  found = { cage: BUBBLEWRAP, reason: null };
  assert.equal(await must.for(RUNTIME), BUBBLEWRAP);
  assert.deepEqual(told.at(-1), { mode: "require", active: "bubblewrap", reason: null });
});

Deno.test("findCagePrograms() takes absolute folders of PATH, and the system's after them", async () => {
  await using dir = await tempDir();
  Deno.writeTextFileSync(join(dir.path, "bwrap"), "#!/bin/sh\n", { mode: 0o755 });
  const { bwrap } = findCagePrograms("linux", `.::relative:${dir.path}`);
  assert.equal(bwrap, join(dir.path, "bwrap"));
  assert.deepEqual(findCagePrograms("windows", dir.path), {
    bwrap: null,
    setpriv: null,
    sandboxExec: null,
  });
});

/** What bwrap writes where it is not let, and what is said of it. */
const REFUSALS: [script: string, reason: RegExp][] = [
  [
    "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1",
    /forbids bubblewrap its namespaces\. Allow them by "sudo sysctl kernel\.apparmor_restrict_unprivileged_userns=0"/,
  ],
  [
    "echo 'bwrap: No permissions to create new namespace, likely because...' >&2; exit 1",
    /kernel\.unprivileged_userns_clone=1", in a container by its settings$/,
  ],
  [
    "echo 'bwrap: something else' >&2; exit 1",
    /^bubblewrap does not work here \(bwrap: something else\)/,
  ],
  ["exit 3", /^bubblewrap does not work here \(code 3\)/],
];

Deno.test("probeCage() says why bubblewrap cannot be and what to do, and takes none that does not work", async () => {
  await using dir = await tempDir();
  const options = await probeOptions("none");
  const missing = await probeCage(options);
  assert.equal(missing.cage, null);
  assert.match(missing.reason!, /^bubblewrap is not installed\. Install it, on Debian and Ubuntu/);
  for (const [index, [script, reason]] of REFUSALS.entries()) {
    const bwrap = join(dir.path, `bwrap-${index}`);
    Deno.writeTextFileSync(bwrap, `#!/bin/sh\n[ "$1" = --help ] && exit 0\n${script}\n`, {
      mode: 0o755,
    });
    const found = await probeCage({ ...options, programs: { ...options.programs, bwrap } });
    assert.equal(found.cage, null);
    assert.match(found.reason!, reason);
  }
  const windows = await probeCage({ ...options, platform: "windows" });
  assert.match(windows.reason!, /^Windows has no cage/);
});

Deno.test("probeCage() takes no cage in which a graphics card is not seen", async () => {
  const options = await probeOptions("bubblewrap");
  const card = { name: "CUDA0", description: "", total_bytes: 1, free_bytes: 1 };
  const runtime = { ...options.runtime, devices: [card] };
  const { cage, reason } = await probeCage({ ...options, runtime });
  assert.equal(cage, null);
  assert.match(reason!, /hides the graphics card \(CUDA0\)/);
});

Deno.test("probeCage() writes a filter anew that somebody changed", async () => {
  const cage = await testCage("bubblewrap");
  const path = cage.filters!.plain;
  const bytes = Deno.readFileSync(path);
  const changed = bytes.slice();
  changed[4] = 0xff;
  Deno.writeFileSync(path, changed);
  await testCage("bubblewrap");
  assert.deepEqual(Deno.readFileSync(path), bytes);
});

/** A shell in a cage: what starts an instance, with all programs of the system to be seen. */
async function inCage(children: Children, script: string, view: Partial<CageView> = {}) {
  const token = crypto.randomUUID().replaceAll("-", "");
  // Shells make processes, which the filter refuses.
  const cage = { ...await testCage("bubblewrap"), filters: null };
  const child = await children.start({
    program: "/bin/sh",
    args: ["-c", script],
    env: { [TOKEN_VARIABLE]: token },
    walls: {
      cage,
      view: {
        ...VIEW,
        ...{ libraries: ["/usr", "/bin", "/lib", "/lib64", "/etc/alternatives"], files: [] },
        writable: null,
        ...view,
      },
    },
  });
  return { ...child, token };
}

Deno.test("start() names the process in the cage, and running() tells that one's memory", async () => {
  await using children = new Children();
  const child = await inCage(
    children,
    "x=$(head -c 30000000 /dev/zero | tr '\\0' x); echo up; read -r line",
  );
  await child.said("up");
  const name = Deno.readTextFileSync(`/proc/${child.pid}/cmdline`).split("\0")[0];
  assert.equal(name, "/bin/sh");
  const [running] = await children.processes.running();
  assert.equal(running!.pid, child.pid);
  assert.ok(running!.rssBytes! > 25e6, `${running!.rssBytes}`);
});

Deno.test("stop() lets a process in a cage end by its exit line, and by SIGTERM", async () => {
  await using children = new Children();
  const polite = await inCage(children, "echo up; read -r line; exit 5");
  await polite.said("up");
  await children.processes.stop(polite.id, 5_000);
  assert.deepEqual(await polite.exited, { code: 5, signal: null });
  const deaf = await inCage(
    children,
    "trap 'echo term; exit 7' TERM; echo up; while :; do sleep 0.02; done",
  );
  await deaf.said("up");
  await children.processes.stop(deaf.id, 5_000);
  assert.deepEqual(await deaf.exited, { code: 7, signal: null });
  assert.deepEqual(deaf.lines, ["up", "term"]);
});

Deno.test("stop() and a death of the wrapper leave nothing of a cage", async () => {
  await using children = new Children();
  const stubborn = "trap '' TERM INT HUP; echo up; while :; do sleep 0.05; done";
  const killed = await inCage(children, `${stubborn} # stubborn-one`);
  await killed.said("up");
  await children.processes.stop(killed.id, 800);
  await killed.exited;
  assert.deepEqual(startedWith("stubborn-one"), []);
  const orphan = await inCage(children, `${stubborn} # stubborn-two`);
  await orphan.said("up");
  const status = Deno.readTextFileSync(`/proc/${orphan.pid}/status`);
  const inside = Number(/^PPid:\t(\d+)$/m.exec(status)![1]);
  const outside = Number(
    /^PPid:\t(\d+)$/m.exec(Deno.readTextFileSync(`/proc/${inside}/status`))![1],
  );
  Deno.kill(outside, "SIGKILL");
  await orphan.exited;
  // The system ends the inside when it sees the wrapper's end: in that moment, or in the next.
  await until(() => !isAlive(orphan.pid) && startedWith("stubborn-two").length === 0);
});

Deno.test("reap() ends the inside of a cage whose wrapper was killed before it could tell", async () => {
  await using children = new Children();
  await using later = new Children();
  const child = await inCage(children, "trap '' TERM; echo up; while :; do sleep 0.05; done");
  await child.said("up");
  const { boot, token } = child;
  // As after a crash of the host: another life knows a wrapper's number, and that one is gone.
  const row = { pid: 2 ** 22 + 1, startTime: "1", boot, token };
  const killed = await later.processes.reap([row]);
  assert.equal(killed.length, 1);
  await until(() => !isAlive(child.pid));
  await child.exited;
  assert.deepEqual(await later.processes.reap([row]), []);
});

Deno.test("A process in a cage that grows over its bound dies, and we do not", async () => {
  await using children = new Children();
  const bound = 200 * 2 ** 20;
  const grow = await inCage(children, "x=12345678; while :; do x=$x$x; echo ${#x}; done", {
    privateBytes: bound,
  });
  const { code } = await grow.exited;
  assert.notEqual(code, 0);
  const most = Math.max(...grow.lines.map(Number).filter((each) => !Number.isNaN(each)));
  assert.ok(most > 1e6 && most < bound, `${most} bytes`);
  assert.notEqual(Deno.readTextFileSync("/proc/self/oom_score_adj").trim(), "500");
});

Deno.test("A caged process goes first when memory runs out, and leaves no core dump", async () => {
  await using children = new Children();
  const child = await inCage(
    children,
    "cat /proc/self/oom_score_adj; ulimit -c; ulimit -n; ulimit -d; hostname 2>/dev/null; uname -n",
  );
  await child.exited;
  assert.deepEqual(child.lines.slice(0, 4), ["500", "0", "1024", String(Math.ceil(3e9 / 1024))]);
  assert.equal(child.lines.at(-1), "cage");
});

Deno.test("caged() starts nothing where its host is gone already", async () => {
  const tools = findCageTools(Deno.build.os);
  const { program, args } = caged({ program: "/bin/echo", args: ["ran"], env: {} }, tools);
  // A shell in between is another parent than the host that the words name.
  const { code, stdout } = await new Deno.Command("/bin/sh", {
    args: ["-c", '"$@"; exit $?', "sh", program, ...args],
  }).output();
  assert.deepEqual([code, new TextDecoder().decode(stdout)], [1, ""]);
});

Deno.test("probeCage() is honest about a Landlock without a filter", async () => {
  await using dir = await tempDir();
  const setpriv = join(dir.path, "setpriv");
  const script = `[ "$1" = --help ] && { echo --landlock-access; exit; }
    while [ "$1" != -- ]; do shift; done; shift; exec "$@"`;
  Deno.writeTextFileSync(setpriv, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const options = await probeOptions("none");
  const { cage, reason } = await probeCage({
    ...options,
    programs: { ...options.programs, setpriv },
  });
  assert.equal(cage?.kind, "landlock");
  assert.equal(cage.filters, null);
  assert.match(reason!, /closes the files, but not the network nor the signals to other programs$/);
});

Deno.test("Launcher ends a process that puts a link in its socket's place, and says why", async () => {
  await using dir = await tempDir();
  await using children = new Children();
  const at = (name: string) => join(dir.path, name);
  const victim = Deno.listen({ transport: "unix", path: at("victim.sock") });
  const launcher = new Launcher({
    config: { cage: "off", runtimeHome: dir.path },
    log: children.logged.log,
    platform: "linux",
    processes: children.processes,
    sockets: { dir: dir.path, places: [] },
    tools: findCageTools("linux"),
    programs: { bwrap: null, setpriv: null, sandboxExec: null },
    modelFolders: () => [],
    onCage() {},
  });
  const lines: string[] = [];
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const script = `ln -s '${at("victim.sock")}' '${at("00/s.sock")}'; echo 'ready'; exec sleep 600`;
  await launcher.start(1, {
    wanted: { program: "/bin/sh", args: ["-c", script], env: { PATH: "/usr/bin:/bin" } },
    place: { socketPath: at("00.sock") },
    folder: at("00"),
  }, {
    onLines: (more) => lines.push(...more),
    onExit: (_code, signal) => resolve(signal),
  });
  assert.equal(await promise, "SIGKILL");
  assert.match(lines[0]!, /^cage: Cannot connect to a model: what its process put in the place/);
  assert.throws(() => Deno.lstatSync(at("00.sock")), Deno.errors.NotFound);
  const { message } = classifyFailure(lines, { code: 137, signal: "SIGKILL" });
  assert.match(message("x"), /^Cannot load "x": its process was ended \(Cannot connect to a model/);
  victim.close();
});

import assert from "node:assert/strict";
import { join } from "node:path";
import { bubblewrapWords } from "../src/host/bubblewrap.ts";
import { caged, findCageTools } from "../src/host/cage.ts";
import { type Cage, type CageView, privateMemoryBound } from "../src/host/cage_view.ts";
import { Launcher } from "../src/host/launcher.ts";
import { TOKEN_VARIABLE } from "../src/host/probes/process_probe.ts";
import { profile } from "../src/host/sandbox_exec.ts";
import { classifyFailure } from "../src/runtime/llama_failure.ts";
import { testCage } from "./support/caged_program.ts";
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

Deno.test("profile() opens single files where the view has those, and of their folder its list alone", () => {
  const libraries = ["/Users/u/llama-server", "/Users/u/libggml.dylib", "/Users/u/libggml-cpu.so"];
  const text = profile("/Users/u/llama-server", { ...VIEW, libraries });
  for (const path of libraries) assert.ok(text.includes(`(subpath "${path}")`), path);
  assert.ok(!text.includes('(subpath "/Users/u")'));
  const ofFolder = text.split("\n").filter((line) => line.includes('"/Users/u")'));
  assert.deepEqual(ofFolder, ['(allow file-read-data (literal "/Users/u"))']);
  const without = profile("/Users/u/llama-server", { ...VIEW, libraries: libraries.slice(0, 2) });
  assert.ok(!without.includes('"/Users/u")'));
});

Deno.test("privateMemoryBound() leaves room for any model that was let in", () => {
  const bound = (plannedBytes: number | null, totalBytes: number) =>
    privateMemoryBound({ plannedBytes, totalBytes, threads: 16 });
  assert.equal(bound(null, 16e9), null);
  assert.equal(bound(1e8, 16e9), 8e9);
  assert.ok(bound(14e9, 16e9)! > 28e9);
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
  // The system ends the inside when it sees the wrapper's end: in that moment, or in the next.
  await until(() => startedWith("stubborn-one").length === 0);
  const orphan = await inCage(children, `${stubborn} # stubborn-two`);
  await orphan.said("up");
  const status = Deno.readTextFileSync(`/proc/${orphan.pid}/status`);
  const inside = Number(/^PPid:\t(\d+)$/m.exec(status)![1]);
  const outside = Number(
    /^PPid:\t(\d+)$/m.exec(Deno.readTextFileSync(`/proc/${inside}/status`))![1],
  );
  Deno.kill(outside, "SIGKILL");
  await orphan.exited;
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

Deno.test("Launcher ends a process that puts a link in its socket's place, and says why", async () => {
  await using dir = await tempDir();
  await using children = new Children();
  const at = (name: string) => join(dir.path, name);
  const victim = Deno.listen({ transport: "unix", path: at("victim.sock") });
  const launcher = new Launcher({
    config: { cage: "off", home: at("home"), runtimeHome: dir.path },
    log: children.logged.log,
    platform: "linux",
    processes: children.processes,
    sockets: { dir: dir.path, places: [] },
    tools: findCageTools("linux"),
    programs: () => ({ bwrap: null, setpriv: null, sandboxExec: null }),
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

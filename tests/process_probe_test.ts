import assert from "node:assert/strict";
import { join } from "node:path";
import type { LeftoverProcess } from "../src/host/messages.ts";
import {
  isFirstInside,
  LinuxProcessProbe,
  parseProcStat,
  parseStatusRss,
} from "../src/host/probes/linux_process_probe.ts";
import {
  MacProcessProbe,
  parsePsLine,
  parsePsTokens,
} from "../src/host/probes/mac_process_probe.ts";
import {
  isSameProcess,
  leftoverPids,
  type ProcessFacts,
  TOKEN_VARIABLE,
  tokenIn,
} from "../src/host/probes/process_identity.ts";
import { createProcessProbe } from "../src/host/probes/process_probe.ts";
import { runCommand } from "../src/host/probes/run_command.ts";
import { SystemFiles } from "../src/host/probes/system_files.ts";
import {
  parseWindowsProcesses,
  WindowsProcessProbe,
} from "../src/host/probes/windows_process_probe.ts";
import { fileTree } from "./support/file_tree.ts";
import { startWritten } from "./support/just_written.ts";
import { until } from "./support/server_process.ts";
import { endChild, PARENT_SCRIPT } from "./support/zombie.ts";

const TOKEN = "00112233445566778899aabbccddeeff";
const OTHER = "ffeeddccbbaa99887766554433221100";

function fixture(name: string): string {
  return Deno.readTextFileSync(new URL(`fixtures/probes/${name}`, import.meta.url));
}

function randomToken(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

/** A process of ours that only waits; killed at the end. */
function waiting(token: string | null, command = "/bin/sleep", args = ["600"]) {
  const child = new Deno.Command(command, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    clearEnv: true,
    env: token === null ? {} : { A: "1", [TOKEN_VARIABLE]: token, Z: "2" },
  }).spawn();
  // The parent goes on a moment before the new program's environment is in its place.
  const endMs = performance.now() + 5_000;
  const environment = `/proc/${child.pid}/environ`;
  while (token !== null && performance.now() < endMs && Deno.readTextFileSync(environment) === "");
  return {
    pid: child.pid,
    child,
    async [Symbol.asyncDispose]() {
      await child.stdout.cancel();
      try {
        child.kill("SIGKILL");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
      }
      await child.status;
    },
  };
}

Deno.test("parseProcStat() is not misled by the name of the program", () => {
  const rest = "S 1 2 3 4 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 2000";
  for (const name of ["sleep", "a b", "a) b", ") Z 1 2 (", "((()", "x)\nS 9 9"]) {
    assert.deepEqual(
      parseProcStat(`42 (${name}) ${rest}`),
      { state: "S", parent: 1, startTime: "987654" },
      name,
    );
  }
  for (
    const text of ["", "42", "42 (sleep)", "42 (sleep) S 1 2", `42 (sleep) ${rest}`.slice(0, 30)]
  ) {
    assert.equal(parseProcStat(text), null, text);
  }
});

Deno.test("parseStatusRss() adds the three parts, else takes VmRSS, else knows nothing", () => {
  assert.equal(parseStatusRss(fixture("linux_status.txt")), 14_536 * 1024);
  assert.equal(
    parseStatusRss("VmRSS:\t      99 kB\nRssAnon:\t 10 kB\nRssFile:\t 20 kB\nRssShmem:\t 3 kB\n"),
    33 * 1024,
  );
  assert.equal(parseStatusRss("VmRSS:\t      99 kB\n"), 99 * 1024);
  assert.equal(parseStatusRss("Name:\tkthreadd\nState:\tS (sleeping)\n"), null);
});

Deno.test("isFirstInside() knows the first process of a namespace of its own", () => {
  const table: [string, boolean][] = [
    ["NSpid:\t4711\t1", true],
    ["NSpid:\t4711\t12\t1", true],
    ["NSpid:\t4711\t2", false],
    ["NSpid:\t4711\t11", false],
    ["NSpid:\t1", false],
    ["NSpid:\t4711", false],
    ["NStgid:\t4711\t1", false],
    ["", false],
  ];
  for (const [line, expected] of table) {
    assert.equal(isFirstInside(`Name:\tx\n${line}\nVmRSS:\t1 kB\n`), expected, line);
  }
});

Deno.test("tokenIn() wants the whole name and 32 hex digits", () => {
  const table: [string[], string | null][] = [
    [["A=1", `${TOKEN_VARIABLE}=${TOKEN}`, "B=2"], TOKEN],
    [[`X${TOKEN_VARIABLE}=${TOKEN}`], null],
    [[`A=${TOKEN_VARIABLE}=${TOKEN}`], null],
    [[`${TOKEN_VARIABLE}=`], null],
    [[`${TOKEN_VARIABLE}=${TOKEN}0`], null],
    [[`${TOKEN_VARIABLE}=${TOKEN.toUpperCase()}`], null],
    [[], null],
  ];
  for (const [entries, expected] of table) assert.equal(tokenIn(entries), expected, entries.join());
});

Deno.test("isSameProcess() refuses every row in which one thing differs", () => {
  const process: ProcessFacts = { startTime: "100", state: "S", rssBytes: 1, token: TOKEN };
  const row: LeftoverProcess = { pid: 4711, startTime: "100", boot: "b1", token: TOKEN };
  const seen = { pid: 4711, boot: "b1", process };
  assert.equal(isSameProcess(row, seen), true);
  for (const state of ["R", "D", "T", "S+", "I"]) {
    assert.equal(isSameProcess(row, { ...seen, process: { ...process, state } }), true, state);
  }
  const poisoned: [string, Partial<LeftoverProcess>, Partial<typeof seen>][] = [
    ["other start time", { startTime: "101" }, {}],
    ["no start time", { startTime: null }, {}],
    ["start time without pid", { pid: null }, {}],
    ["other boot", { boot: "b2" }, {}],
    ["boot unknown on both sides", { boot: "" }, { boot: "" }],
    ["other token", { token: OTHER }, {}],
    ["token empty on both sides", { token: "" }, { process: { ...process, token: "" } }],
    ["no token seen", {}, { process: { ...process, token: null } }],
    ["other pid", { pid: 4712 }, {}],
    ["process 1", { pid: 1 }, { pid: 1 }],
    ["pid 0", { pid: 0 }, { pid: 0 }],
    ["a process group", { pid: -4711 }, { pid: -4711 }],
    ["half a pid", { pid: 4711.5 }, { pid: 4711.5 }],
    ["no process", {}, { process: null as unknown as ProcessFacts }],
    ["ended", {}, { process: { ...process, state: "Z" } }],
    ["ended, as macOS writes it", {}, { process: { ...process, state: "Z+" } }],
    ["dead", {}, { process: { ...process, state: "X" } }],
  ];
  for (const [name, rowPart, seenPart] of poisoned) {
    assert.equal(isSameProcess({ ...row, ...rowPart }, { ...seen, ...seenPart }), false, name);
  }
  const unborn: LeftoverProcess = { pid: null, startTime: null, boot: "b1", token: TOKEN };
  assert.equal(isSameProcess(unborn, seen), true, "found by its token");
  assert.equal(isSameProcess(unborn, { ...seen, boot: "b2" }), false);
});

Deno.test("readProcess() knows a living process by start time, token and memory", async () => {
  const probe = new LinuxProcessProbe();
  const token = randomToken();
  await using process = waiting(token);
  await using plain = waiting(null);
  const seen = await probe.readProcess(process.pid);
  assert.ok(seen);
  assert.equal(seen.token, token);
  assert.match(seen.startTime, /^\d+$/);
  assert.match(seen.state, /^[RSD]$/);
  assert.ok(seen.rssBytes !== null && seen.rssBytes > 0 && seen.rssBytes < 2 ** 30);
  assert.equal((await probe.readProcess(process.pid))?.startTime, seen.startTime);
  assert.equal((await probe.readProcess(plain.pid))?.token, null);
  assert.match(await probe.bootId(), /^[0-9a-f-]{36}$/);
  for (const pid of [0, -1, 1.5, NaN, 2 ** 31]) {
    assert.equal(await probe.readProcess(pid), null, String(pid));
  }
});

Deno.test("readProcess() reads a program whose name looks like the file's own format", async () => {
  await using tree = await fileTree();
  const program = join(tree.root, ") Z 1 (");
  await Deno.copyFile("/bin/sleep", program);
  const token = randomToken();
  await using process = await startWritten(() => waiting(token, program));
  const seen = await new LinuxProcessProbe().readProcess(process.pid);
  assert.ok(seen);
  assert.notEqual(seen.state, "Z");
  assert.equal(seen.token, token);
});

Deno.test("readProcess() says Z for a process that ended and waits for its parent", async () => {
  const probe = new LinuxProcessProbe();
  const token = randomToken();
  await using parent = waiting(token, "/bin/sh", ["-c", PARENT_SCRIPT]);
  const lines = parent.child.stdout.values({ preventCancel: true });
  const pid = Number(new TextDecoder().decode((await lines.next()).value));
  await lines.return?.();
  await endChild(pid, parent.pid);
  const boot = await probe.bootId();
  const seen = await until(async () => {
    const facts = await probe.readProcess(pid);
    return facts?.state === "Z" && facts;
  });
  assert.ok(!(await probe.findByToken(token)).includes(pid));
  const row = { pid, startTime: seen.startTime, boot, token };
  assert.equal(isSameProcess(row, { pid, boot, process: { ...seen, token } }), false);
  assert.deepEqual(await leftoverPids(row, probe), []);
});

Deno.test("findByToken() finds every process that carries the token and no other", async () => {
  const probe = createProcessProbe("linux");
  const token = randomToken();
  await using first = waiting(token);
  await using second = waiting(token);
  await using _other = waiting(randomToken());
  assert.deepEqual(
    await probe.findByToken(token),
    [first.pid, second.pid].sort((one, two) => one - two),
  );
  assert.deepEqual(await probe.findByToken(randomToken()), []);
  for (const text of ["", "a", token.slice(1), `${token}0`, "*"]) {
    assert.deepEqual(await probe.findByToken(text), [], text);
  }
});

Deno.test("findByToken() holds while processes come and go", async () => {
  const probe = new LinuxProcessProbe();
  const token = randomToken();
  await using stays = waiting(token);
  const visitors = Array.from({ length: 30 }, async () => {
    await new Deno.Command("/bin/true", { clearEnv: true }).output();
  });
  for (let round = 0; round < 10; round++) {
    assert.deepEqual(await probe.findByToken(token), [stays.pid]);
    // Lets the children of this round end.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await Promise.all(visitors);
});

Deno.test("leftoverPids() answers for right rows and for no poisoned one", async () => {
  const probe = new LinuxProcessProbe();
  const token = randomToken();
  const boot = await probe.bootId();
  const ended = waiting(token);
  const endedStart = (await probe.readProcess(ended.pid))?.startTime ?? "";
  await ended[Symbol.asyncDispose]();
  await using process = waiting(token);
  await using foreign = waiting(null);
  const { pid } = process;
  const startTime = (await probe.readProcess(pid))?.startTime ?? "";
  const foreignStart = (await probe.readProcess(foreign.pid))?.startTime ?? "";

  assert.deepEqual(await leftoverPids({ pid, startTime, boot, token }, probe), [pid]);
  assert.deepEqual(await leftoverPids({ pid: null, startTime: null, boot, token }, probe), [pid]);
  const poisoned: [string, LeftoverProcess][] = [
    ["a reused pid", { pid: foreign.pid, startTime, boot, token }],
    ["a reused pid with its own start", { pid: foreign.pid, startTime: foreignStart, boot, token }],
    ["process 1", { pid: 1, startTime, boot, token }],
    ["ourselves", { pid: Deno.pid, startTime, boot, token }],
    ["a wrong start", { pid, startTime: `${startTime}0`, boot, token }],
    ["another boot", { pid, startTime, boot: crypto.randomUUID(), token }],
    ["another boot, no pid", { pid: null, startTime: null, boot: crypto.randomUUID(), token }],
    ["no boot", { pid, startTime, boot: "", token }],
    ["another token", { pid, startTime, boot, token: randomToken() }],
    ["a dead pid", { pid: ended.pid, startTime: endedStart, boot, token }],
  ];
  for (const [name, row] of poisoned) assert.deepEqual(await leftoverPids(row, probe), [], name);
});

Deno.test("LinuxProcessProbe knows nothing where /proc is not there", async () => {
  await using tree = await fileTree();
  const probe = new LinuxProcessProbe(new SystemFiles(tree.root));
  assert.equal(await probe.bootId(), "");
  assert.equal(await probe.readProcess(4711), null);
  assert.deepEqual(await probe.findByToken(TOKEN), []);
});

Deno.test("parsePsLine() reads start, state, memory and token", () => {
  assert.deepEqual(parsePsLine(fixture("mac_ps.txt").trimEnd()), {
    startTime: "Sat Nov 22 15:17:03 2025",
    state: "S",
    rssBytes: 81_920 * 1024,
    token: TOKEN,
  });
  assert.deepEqual(parsePsLine("Mon Nov  3 05:01:09 2025     Z+        0"), {
    startTime: "Mon Nov 3 05:01:09 2025",
    state: "Z+",
    rssBytes: 0,
    token: null,
  });
  for (const line of ["", "STARTED STAT RSS COMMAND", "Mon Nov  3"]) {
    assert.equal(parsePsLine(line), null, line);
  }
});

Deno.test("parsePsTokens() finds pids by their environment", () => {
  const text = `    1 /sbin/launchd\n  501 /bin/server -m x ${TOKEN_VARIABLE}=${TOKEN} B=1\n` +
    ` 4711 server ${TOKEN_VARIABLE}=${OTHER}\n99999 server ${TOKEN_VARIABLE}=${TOKEN}\n`;
  assert.deepEqual(parsePsTokens(text, TOKEN), [501, 99999]);
});

Deno.test("MacProcessProbe asks ps and sysctl by full path, one question each", async () => {
  const asked: string[] = [];
  const probe = new MacProcessProbe((command, args) => {
    asked.push([command, ...args].join(" "));
    const stdout = command.endsWith("sysctl")
      ? "F0E1D2C3-0000-4000-8000-000000000001\n"
      : args.includes("-p")
      ? fixture("mac_ps.txt")
      : ` 4711 server ${TOKEN_VARIABLE}=${TOKEN}\n`;
    return Promise.resolve({ code: 0, stdout });
  });
  const row = {
    pid: 4711,
    startTime: "Sat Nov 22 15:17:03 2025",
    boot: await probe.bootId(),
    token: TOKEN,
  };
  assert.deepEqual(await leftoverPids(row, probe), [4711]);
  assert.deepEqual(await leftoverPids({ ...row, pid: null, startTime: null }, probe), [4711]);
  assert.deepEqual(asked, [
    "/usr/sbin/sysctl -n kern.bootsessionuuid",
    "/bin/ps -wwE -o lstart=,state=,rss=,command= -p 4711",
    "/bin/ps -xwwE -o pid=,command=",
    "/bin/ps -wwE -o lstart=,state=,rss=,command= -p 4711",
  ]);
});

Deno.test("MacProcessProbe knows nothing where its tools fail", async () => {
  for (const result of [null, { code: 1, stdout: "" }]) {
    const probe = new MacProcessProbe(() => Promise.resolve(result));
    assert.equal(await probe.bootId(), "");
    assert.equal(await probe.readProcess(4711), null);
    assert.deepEqual(await probe.findByToken(TOKEN), []);
  }
});

Deno.test("parseWindowsProcesses() reads one object, an array and nothing", () => {
  const [server, system] = parseWindowsProcesses(fixture("windows_processes.json"));
  assert.deepEqual(server, {
    pid: 4711,
    startTime: "134083486231234567",
    state: "R",
    rssBytes: 734_003_200,
    token: TOKEN,
  });
  assert.equal(system?.token, null);
  assert.equal(parseWindowsProcesses('{"ProcessId":8,"Started":"5"}')[0]?.pid, 8);
  for (const text of ["", "null", "[]", "{}", '{"ProcessId":8}', "no json"]) {
    assert.deepEqual(parseWindowsProcesses(text), [], text);
  }
});

Deno.test("WindowsProcessProbe never puts a token on PowerShell's own command line", async () => {
  const probe = new WindowsProcessProbe((_command, args) => {
    assert.ok(!args.join(" ").includes(TOKEN));
    assert.ok(!args.join(" ").includes('"'));
    return Promise.resolve({ code: 0, stdout: fixture("windows_processes.json") });
  });
  assert.deepEqual(await probe.findByToken(TOKEN), [4711]);
  assert.equal((await probe.readProcess(4711))?.token, TOKEN);
  assert.equal(await probe.readProcess(4712), null, "an answer about another process");
});

Deno.test("runCommand() gives the output, and null for what is missing or too slow", async () => {
  assert.deepEqual(await runCommand("/bin/echo", ["a b"], 5000), { code: 0, stdout: "a b\n" });
  assert.equal((await runCommand("/bin/false", [], 5000))?.code, 1);
  assert.equal(await runCommand("/no/such/tool", [], 5000), null);
  const start = performance.now();
  assert.equal(await runCommand("/bin/sleep", ["600"], 50), null);
  assert.ok(performance.now() - start < 5000);
});

Deno.test("runCommand() hands no variable of ours to a tool", async () => {
  const result = await runCommand("/usr/bin/env", [], 5000);
  assert.deepEqual(result?.stdout.trim().split("\n").map((line) => line.split("=")[0]).sort(), [
    "LC_ALL",
    "PATH",
  ]);
});

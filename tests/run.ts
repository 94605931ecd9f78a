// `deno task test`: gets what the tests need, runs them all, ends with a line `N passed, N failed`.
// No llama-server means that the run fails: nothing is skipped.

import { parseArgs } from "node:util";
import { SHARED_BROWSER, SharedBrowser } from "./support/chromium.ts";
import { testRuntime } from "./support/llama_server.ts";
import { CAGE_MODES, type CageMode, pathWithBwrap, TEST_CAGE } from "./support/test_cage.ts";

const COUNTS = /(\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed/;

const SCREENSHOTS = "tests/artifacts/screenshots";

const GATE_LIMIT_MS = 25 * 60_000;
const SOAK_LIMIT_MS = 120 * 60_000;

/** These measure times, or fill the machine: nothing runs beside them. */
const ALONE = [
  "browser/chat_speed_test.ts",
  "bandwidth_test.ts",
  "departures_test.ts",
  "fits_test.ts",
  "hostile_headers_test.ts",
  "processes_test.ts",
  "server_death_test.ts",
  "speed_real_test.ts",
  "speeds_test.ts",
  "start_test.ts",
  "threats/17_worker_escape_test.ts",
];

/** What must hold without a cage as well; `deno task soak` takes all that is no test of the page. */
const WITHOUT_CAGE = [
  "beside_test.ts",
  "doors_test.ts",
  "launch_test.ts",
  "server_death_test.ts",
  "unload_test.ts",
];

const isLinux = Deno.build.os === "linux";

interface Phase {
  cage: CageMode;
  files: readonly string[];
}

interface Counts {
  passed: number;
  failed: number;
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

/** All files below `tests`, by their paths. */
function testFiles(folder = "tests"): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return testFiles(`${folder}/${name}`);
    return name.endsWith("_test.ts") ? [`${folder}/${name}`] : [];
  }).sort();
}

async function run({ cage, files }: Phase, options: readonly string[]): Promise<Counts> {
  if (files.length === 0) return { passed: 0, failed: 0 };
  await using browser = files.some((file) => file.startsWith("tests/browser/"))
    ? await SharedBrowser.start()
    : null;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--quiet", ...options, ...files],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    env: {
      NO_COLOR: "1",
      [TEST_CAGE]: cage,
      ...(cage !== "off" && isLinux && { PATH: await pathWithBwrap() }),
      // One file for each core; more of them would be in each other's way.
      DENO_JOBS: String(Math.min(4, navigator.hardwareConcurrency)),
      ...(browser !== null && { [SHARED_BROWSER]: browser.endpoint }),
      // What the page looked like is kept by whoever runs the gate.
      ...(Deno.env.has("CI") && { ZOMBIE_SCREENSHOTS: SCREENSHOTS }),
    },
  }).spawn();
  // A test that hangs must fail the run, not hold it for ever.
  const limit = setTimeout(() => {
    print("The tests took too long and were ended\n");
    child.kill("SIGKILL");
  }, Deno.env.get("ZOMBIE_SOAK") ? SOAK_LIMIT_MS : GATE_LIMIT_MS);
  let tail = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    Deno.stdout.writeSync(chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4_096);
  }
  const { code } = await child.status;
  clearTimeout(limit);
  const counts = COUNTS.exec(tail);
  if (counts === null) return { passed: 0, failed: 1 };
  return {
    passed: Number(counts[1]),
    failed: Math.max(Number(counts[2]), code === 0 ? 0 : 1),
  };
}

/** What needs the machine to itself comes after the rest. */
async function runPhase(phase: Phase, options: readonly string[]): Promise<Counts[]> {
  const isAlone = (file: string) => ALONE.some((name) => file === `tests/${name}`);
  const part = (alone: boolean) => ({
    ...phase,
    files: phase.files.filter((file) => isAlone(file) === alone),
  });
  return [await run(part(false), [...options, "--parallel"]), await run(part(true), options)];
}

function phasesOf(named: readonly string[], cage: string | undefined): Phase[] {
  const mode = CAGE_MODES.find((each) => each === cage) ?? (isLinux ? "require" : "auto");
  if (named.length > 0) return [{ cage: mode, files: named }];
  const files = testFiles();
  const phases: Phase[] = [{ cage: mode, files }];
  if (mode === "off") return phases;
  const withoutPage = files.filter((file) => !file.startsWith("tests/browser/"));
  const few = WITHOUT_CAGE.map((name) => `tests/${name}`);
  return [...phases, { cage: "off", files: Deno.env.get("ZOMBIE_SOAK") ? withoutPage : few }];
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    args: Deno.args,
    options: { "trace-leaks": { type: "boolean" }, cage: { type: "string" } },
    allowPositionals: true,
  });
  const { cage } = values;
  if (cage !== undefined && !CAGE_MODES.some((mode) => mode === cage)) {
    print(`Cannot use --cage "${cage}": it takes one of ${CAGE_MODES.join(", ")}\n`);
    return 2;
  }
  const options = values["trace-leaks"] === true ? ["--trace-leaks"] : [];
  print(`Tests use ${await testRuntime()}\n`);
  const counts: Counts[] = [];
  for (const phase of phasesOf(positionals, cage)) {
    print(`Tests run with --cage ${phase.cage}\n`);
    counts.push(...await runPhase(phase, options));
  }
  const passed = counts.reduce((sum, each) => sum + each.passed, 0);
  const failed = counts.reduce((sum, each) => sum + each.failed, 0);
  print(`${passed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

Deno.exit(await main());

import assert from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../src/errors.ts";
import { checkExtraArgs } from "../src/host/extra_args.ts";
import { buildCommand } from "../src/host/launch.ts";
import { probeRuntime, type RuntimeProbe } from "../src/host/runtime_probe.ts";
import { failure } from "./support/failure.ts";
import { EVERY_FLAG, EXTRA_ARGS, LAUNCH_FLAGS, launchSpec } from "./support/launch_specs.ts";
import { testRuntime } from "./support/llama_server.ts";

const FREE = { flags: EVERY_FLAG, taken: [] };

function argsOf(name: string, value: string | null): string[] {
  return value === null ? [name] : [name, value];
}

async function realProbe(): Promise<RuntimeProbe> {
  return await probeRuntime(await testRuntime(), { runtimeHome: null });
}

Deno.test("checkExtraArgs() passes each listed argument under each of its names", () => {
  for (const { names, value } of EXTRA_ARGS) {
    for (const name of names) {
      const args = argsOf(name, value);
      assert.deepEqual(checkExtraArgs(args, FREE), args);
    }
  }
  const all = EXTRA_ARGS.flatMap(({ names, value }) => argsOf(names[0]!, value));
  assert.deepEqual(checkExtraArgs(all, FREE), all);
});

Deno.test("checkExtraArgs() refuses values out of their range, of another kind, or missing", () => {
  for (const { names, value, refused } of EXTRA_ARGS) {
    const name = names[0]!;
    for (const bad of refused ?? []) {
      const error = failure(() => checkExtraArgs([name, bad], FREE));
      assert.equal(error.code, "invalid_request", `${name} ${bad}`);
      assert.equal(error.param, "extra_args");
    }
    if (value === null) continue;
    assert.match(failure(() => checkExtraArgs([name], FREE)).message, /its value is missing$/);
  }
});

Deno.test("checkExtraArgs() tells the facts of a refusal, for those who put it into their own words", () => {
  const facts = (...args: string[]) => failure(() => checkExtraArgs(args, FREE)).values;
  assert.deepEqual(facts("--agent"), { flag: "--agent", reason: "unlisted" });
  assert.deepEqual(facts("--temp"), { flag: "--temp", reason: "value_missing" });
  assert.deepEqual(facts("--mlock", "--mlock"), { flag: "--mlock", reason: "twice" });
  assert.deepEqual(facts("--poll", "101"), {
    flag: "--poll",
    reason: "not_a_whole_number",
    least: 0,
    most: 100,
    value: "101",
  });
  assert.deepEqual(facts("--top-p", "2"), {
    flag: "--top-p",
    reason: "not_a_number",
    least: 0,
    most: 1,
    value: "2",
  });
  assert.deepEqual(facts("-fa", "maybe"), {
    flag: "-fa",
    reason: "not_a_word",
    words: "on, off, auto",
    value: "maybe",
  });
  assert.deepEqual(facts("--tensor-split", "all"), {
    flag: "--tensor-split",
    reason: "not_a_form",
    value: "all",
  });
  const unknown = failure(() => checkExtraArgs(["--mlock"], { flags: new Set(), taken: [] }));
  assert.deepEqual(unknown.values, { flag: "--mlock", reason: "unknown" });
});

Deno.test("checkExtraArgs() refuses an argument named twice, under whichever of its names", () => {
  for (const { names, value } of EXTRA_ARGS) {
    for (const name of names) {
      const args = [...argsOf(names[0]!, value), ...argsOf(name, value)];
      assert.match(failure(() => checkExtraArgs(args, FREE)).message, /it is there twice$/);
      const taken = failure(() =>
        checkExtraArgs(argsOf(name, value), { ...FREE, taken: [names[0]!] })
      );
      assert.match(taken.message, /it is there twice$/);
    }
  }
});

Deno.test("checkExtraArgs() refuses every other flag of the real build, and forms that smuggle one", async () => {
  const { flags } = await realProbe();
  const listed = new Set(EXTRA_ARGS.flatMap(({ names }) => names));
  const others = [...flags].filter((flag) => !listed.has(flag));
  for (const flag of ["--tools", "--agent", "--mcp-servers-json", "--rpc", "-hf", "--media-path"]) {
    assert.ok(others.includes(flag), `${flag} is no flag of this build`);
  }
  const forms = others.flatMap((flag) => [[flag], [flag, "x"], [`${flag}=x`]]);
  forms.push(["--temp=1"], ["--temp 1"], ["-temp"], ["temp"], ["--TEMP", "1"], ["--temp\0", "1"]);
  forms.push(["--"], ["-"], [""], ["x"], ["@file"], ["-tb1"], ["--temp", "1", "--tools", "all"]);
  forms.push(["--swa-full", "--tools"], ["-s", "1", ""], ["--toString"], ["constructor"]);
  for (const form of forms) {
    assert.equal(failure(() => checkExtraArgs(form, FREE)).code, "invalid_request", form.join(" "));
  }
});

Deno.test("checkExtraArgs() refuses what the build does not know, before a process starts", () => {
  const flags = new Set([...EVERY_FLAG].filter((flag) => flag !== "--swa-full"));
  const error = failure(() => checkExtraArgs(["--swa-full"], { flags, taken: [] }));
  assert.equal(
    error.message,
    'Cannot use the argument "--swa-full": this llama-server does not know it',
  );
});

/** Splits by what the tests know; throws where a word is neither a known flag nor a known flag's value. */
function flagsIn(args: readonly string[]): string[] {
  const flags: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const flag = args[index]!;
    const extra = EXTRA_ARGS.find(({ names }) => names.includes(flag));
    const values = extra === undefined ? LAUNCH_FLAGS[flag] : extra.value === null ? 0 : 1;
    if (values === undefined) throw new Error(`"${flag}" is not on the list`);
    flags.push(extra?.names[0] ?? flag);
    index += values;
  }
  return flags;
}

Deno.test("buildCommand() never lets an unlisted flag through: 10,000 random lists", async () => {
  const { flags } = await realProbe();
  const flag = fc.constantFrom(...flags, ...EVERY_FLAG);
  const words = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...EXTRA_ARGS.flatMap(({ names }) => names)) },
    { weight: 4, arbitrary: flag },
    { weight: 3, arbitrary: fc.constantFrom("1", "0", "-1", "0.5", "on", "none", "all", "1,1") },
    { weight: 1, arbitrary: flag.map((name) => `${name}=all`) },
    { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
    { weight: 1, arbitrary: fc.constantFrom("0.0.0.0", "/etc/passwd", "/bin/sh", "--", "") },
  );
  // Lists of words, and lists that are made to pass with one word put in somewhere.
  const sound = fc.shuffledSubarray([...EXTRA_ARGS], { maxLength: 6 })
    .map((some) => some.flatMap(({ names, value }) => argsOf(names.at(-1)!, value)));
  const spoiled = fc.tuple(sound, words, fc.nat(12))
    .map(([args, word, at]) => args.toSpliced(at, 0, word));
  const lists = fc.oneof(fc.array(words, { maxLength: 8 }), sound, spoiled);
  let passed = 0;
  fc.assert(
    fc.property(lists, fc.boolean(), (extraArgs, hasDevices) => {
      const launch = launchSpec({ extraArgs, gpuLayers: 0 });
      const place = { socketPath: "/run/00.sock" };
      let args: string[];
      try {
        ({ args } = buildCommand(launch, { flags, hasDevices, place, platform: "linux" }));
      } catch (error) {
        assert.ok(error instanceof AppError && error.code === "invalid_request", String(error));
        return;
      }
      passed++;
      const given = flagsIn(args);
      assert.equal(new Set(given).size, given.length, `twice: ${given.join(" ")}`);
      assert.ok(args.every((arg) => flags.has(arg) || !/^-[A-Za-z-]/.test(arg)), args.join(" "));
    }),
    { numRuns: 10_000 },
  );
  assert.ok(passed > 1_000, `only ${passed} of them passed`);
});

Deno.test("The real llama-server takes every listed argument as the list has it", async () => {
  const { flags, path } = await realProbe();
  const known = EXTRA_ARGS.flatMap(({ names, value }) =>
    names.filter((name) => flags.has(name)).slice(0, 1).map((name) => ({ name, value }))
  );
  const launch = launchSpec({
    modelPath: "/nonexistent/model.gguf",
    extraArgs: known.flatMap(({ name, value }) => argsOf(name, value)),
  });
  const place = { port: 1 };
  const command = buildCommand(launch, { flags, hasDevices: false, place, platform: "linux" });
  const { code, stderr } = await new Deno.Command(path, {
    args: command.args,
    env: command.env,
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  const log = new TextDecoder().decode(stderr);
  assert.notEqual(code, 0);
  assert.match(log, /\/nonexistent\/model\.gguf/);
  assert.doesNotMatch(log, /invalid argument|while handling argument|unknown|specified multiple/);
});

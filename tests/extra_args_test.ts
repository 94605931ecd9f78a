import assert from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../src/errors.ts";
import { checkExtraArgs } from "../src/host/extra_args.ts";
import { buildCommand } from "../src/host/launch.ts";
import { probeRuntime, type RuntimeProbe } from "../src/host/runtime_probe.ts";
import { failure } from "./support/failure.ts";
import { EVERY_FLAG, EXTRA_ARGS, LAUNCH_FLAGS, launchSpec } from "./support/launch_specs.ts";
import { hostileName } from "./support/hostile_names.ts";
import { testRuntime } from "./support/llama_server.ts";
import { runtimeHelp } from "./support/runtime_help.ts";

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
function flagsIn(args: readonly string[]): { flag: string; value: string | null }[] {
  const flags: { flag: string; value: string | null }[] = [];
  for (let index = 0; index < args.length; index++) {
    const flag = args[index]!;
    const extra = EXTRA_ARGS.find(({ names }) => names.includes(flag));
    const values = extra === undefined ? LAUNCH_FLAGS[flag] : extra.value === null ? 0 : 1;
    if (values === undefined) throw new Error(`"${flag}" is not on the list`);
    flags.push({ flag, value: values === 0 ? null : args[++index]! });
  }
  return flags;
}

/** One word as whoever wants to get through might write it. */
function hostileWord(flags: readonly string[]): fc.Arbitrary<string> {
  const flag = fc.constantFrom(...flags);
  // Dashes that look like one, and a soft one that is not seen at all.
  const dash = fc.constantFrom(
    "\u2010",
    "\u2013",
    "\u2014",
    "\u2212",
    "\uFE63",
    "\uFF0D",
    "\u00AD",
  );
  return fc.oneof(
    { weight: 8, arbitrary: flag },
    flag.map((name) => `${name}=all`),
    flag.map((name) => `${name} all`),
    fc.tuple(flag, dash).map(([name, other]) => name.replaceAll("-", other)),
    fc.tuple(flag, dash).map(([name, other]) => other + name.slice(1)),
    flag.map((name) => name.toUpperCase()),
    flag.map((name) => name.replace(/^--?/, "")),
    fc.tuple(flag, fc.constantFrom("\n", "\0", " ", "\t", "\r\n", "\uFEFF")).chain(([name, odd]) =>
      fc.constantFrom(odd + name, name + odd, `${name}${odd}--tools${odd}all`)
    ),
    fc.constantFrom("0.0.0.0", "/etc/passwd", "/bin/sh", "../x", "unix:/x", "http://h/", "@file"),
    fc.constantFrom("--", "-", "", "-1", "-0.5", "-x", "--1", "1\n", "1\n--tools", "$(id)", "`id`"),
    fc.string({ unit: "binary" }),
    hostileName(),
  );
}

Deno.test("buildCommand() never lets an unlisted flag through: 10,000 random lists of arguments", async () => {
  const { flags } = await realProbe();
  const help = await runtimeHelp();
  const every = [...new Set([...help.groups.flat(), ...EVERY_FLAG])];
  assert.ok(every.length > 350 && help.leadingOut.size > 60, `${every.length} flags`);
  const allowed = fc.constantFrom(...EXTRA_ARGS.flatMap(({ names }) => names));
  const word = hostileWord(every);
  const words = fc.oneof(
    { weight: 4, arbitrary: allowed },
    { weight: 4, arbitrary: word },
    { weight: 3, arbitrary: fc.constantFrom("1", "0", "-1", "0.5", "on", "none", "all", "1,1") },
  );
  // Lists of words, lists that are made to pass, and those with one word put in or with one flag twice,
  // the second time under whichever of its names.
  const sound = fc.shuffledSubarray([...EXTRA_ARGS], { maxLength: 6 }).chain((some) =>
    fc.tuple(
      ...some.map(({ names, value }) =>
        fc.constantFrom(...names).map((name) => argsOf(name, value))
      ),
    )
  ).map((lists) => lists.flat());
  const spoiled = fc.tuple(sound, words, fc.nat(12))
    .map(([args, word, at]) => args.toSpliced(at, 0, word));
  const replaced = fc.tuple(sound, word, fc.nat(12))
    .map(([args, word, at]) => args.toSpliced(at, 1, word));
  const doubled = fc.tuple(sound, fc.constantFrom(...EXTRA_ARGS)).chain((
    [args, { names, value }],
  ) =>
    fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)).map((
      [first, second],
    ) => [...args, ...argsOf(first, value), ...argsOf(second, value)])
  );
  const lists = fc.oneof(fc.array(words, { maxLength: 8 }), sound, spoiled, replaced, doubled);
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
      const given = flagsIn(args).map(({ flag }) => help.firstNameOf.get(flag) ?? flag);
      assert.equal(new Set(given).size, given.length, `twice: ${args.join(" ")}`);
      // What the user added stands at the end, unchanged.
      const own = args.length - extraArgs.length;
      assert.deepEqual(args.slice(own), extraArgs);
      for (const { flag, value } of flagsIn(extraArgs)) {
        assert.ok(flags.has(flag), `${flag} is not of this build`);
        assert.ok(!help.leadingOut.has(flag), `${flag} leads out`);
        if (value === null) continue;
        assert.match(value, /^[\w.,+]+(?:-legacy)?$|^-\d+(?:\.\d+)?$/, `${flag} ${value}`);
      }
    }),
    { numRuns: 10_000 },
  );
  assert.ok(passed > 1_000, `only ${passed} of them passed`);
});

Deno.test("checkExtraArgs() takes no value that begins with a dash, but for a number that may be negative", () => {
  for (const { names, value } of EXTRA_ARGS) {
    if (value === null) continue;
    for (
      const bad of ["-", "--", "-x", "--tools", "-tools", "-a,b", "--1", "-1-", "-1,1", "-none"]
    ) {
      assert.equal(
        failure(() => checkExtraArgs([names[0]!, bad], FREE)).code,
        "invalid_request",
        `${names[0]} ${bad}`,
      );
    }
  }
  const negative = EXTRA_ARGS.map(({ names }) => names[0]!).filter((name) => {
    try {
      return checkExtraArgs([name, "-1"], FREE).length === 2;
    } catch {
      return false;
    }
  });
  assert.deepEqual(negative, [
    ...["--prio", "-n", "--keep", "--yarn-ext-factor", "--yarn-attn-factor", "--yarn-beta-slow"],
    ...["--yarn-beta-fast", "-s", "--repeat-last-n", "--presence-penalty", "--frequency-penalty"],
    ...["--embd-normalize", "--reasoning-budget"],
  ]);
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

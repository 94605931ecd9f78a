import assert from "node:assert/strict";
import fc from "fast-check";
import { parseArguments } from "../src/arguments.ts";
import { COMMANDS } from "../src/commands.ts";
import { AppError } from "../src/errors.ts";
import { SETTINGS } from "../src/settings.ts";

const COMMAND_NAMES =
  "serve, run, list, ps, load, stop, pull, search, import, rm, show, logs, keys, config, doctor, " +
  "connect, app, runtime, scope, service, completions, version, help";

Deno.test("parseArguments() finds the command before, between and after flags", () => {
  const table: [args: string[], command: string, explicit: boolean][] = [
    [[], "serve", false],
    [["--port", "9000"], "serve", false],
    [["serve"], "serve", true],
    [["--port", "9000", "serve"], "serve", true],
    [["serve", "--port=9000"], "serve", true],
    [["--no-open", "serve"], "serve", true],
    [["config"], "config", true],
    [["version"], "version", true],
    [["help"], "help", true],
    [["help", "serve"], "help", true],
    [["--", "config"], "config", true],
    [["--help"], "help", true],
    [["-h"], "help", true],
    [["serve", "--no-such-flag", "--help"], "help", true],
    [["--version"], "version", true],
    [["-v"], "version", true],
  ];
  for (const [args, command, explicit] of table) {
    const parsed = parseArguments(args);
    assert.equal(parsed.command.name, command, args.join(" "));
    assert.equal(parsed.explicit, explicit, args.join(" "));
  }
});

Deno.test("parseArguments() takes a value after a space or an equals sign, the last one counts", () => {
  const table: [args: string[], name: string, value: string | string[]][] = [
    [["--port", "9000"], "port", "9000"],
    [["--port=9000"], "port", "9000"],
    [["--port", "1", "--port", "2"], "port", "2"],
    [["--keep-alive", "-1"], "keep_alive", "-1"],
    [["--keep-alive=-1"], "keep_alive", "-1"],
    [["--keep-alive", "-1.5h"], "keep_alive", "-1.5h"],
    [["--home=-dash"], "home", "-dash"],
    [["--home=a=b"], "home", "a=b"],
    [["--home", "মডেল ঘর"], "home", "মডেল ঘর"],
    [["--no-open"], "open", "true"],
    [["--models-dir", "a,b"], "models_dirs", ["a,b"]],
    [["--models-dir", "a", "--models-dir=b"], "models_dirs", ["a", "b"]],
    [["--host", "::1", "--host", "127.0.0.1"], "host", ["::1", "127.0.0.1"]],
    [["--preload", ""], "preload", [""]],
    [["--api-key-file", "k"], "api_key", "k"],
  ];
  for (const [args, name, value] of table) {
    const parsed = parseArguments(args);
    assert.deepEqual([...parsed.flags], [[name, value]], args.join(" "));
  }
});

Deno.test("parseArguments() gives a command its own switches", () => {
  const table: [args: string[], switches: [string, string | true][]][] = [
    [["config", "--json"], [["json", true]]],
    [["--json", "config"], [["json", true]]],
    [["config"], []],
    [["logs", "-f"], [["follow", true]]],
    [["logs", "--follow", "m"], [["follow", true]]],
    [["rm", "m", "-y"], [["yes", true]]],
    [["keys", "add", "me", "--scope", "admin"], [["scope", "admin"]]],
    [["keys", "add", "me", "--scope=admin", "--json"], [["scope", "admin"], ["json", true]]],
    [["run", "m", "--system", "Be brief"], [["system", "Be brief"]]],
  ];
  for (const [args, switches] of table) {
    assert.deepEqual([...parseArguments(args).switches], switches, args.join(" "));
  }
});

Deno.test("parseArguments() gives a command its own words", () => {
  const table: [args: string[], words: string[]][] = [
    [["run", "m"], ["m"]],
    [["run", "m", "tell", "me"], ["m", "tell", "me"]],
    [["--port", "1", "run", "m", "--", "--dashes"], ["m", "--dashes"]],
    [["pull", "org/repo", "a.gguf"], ["org/repo", "a.gguf"]],
    [["run", "--help"], ["run"]],
    [["no-command", "--help"], []],
    [["help", "run"], ["run"]],
  ];
  for (const [args, words] of table) {
    assert.deepEqual(parseArguments(args).words, words, args.join(" "));
  }
});

Deno.test("parseArguments() says in one line what is wrong and what is accepted", () => {
  const table: [args: string[], message: string][] = [
    [
      ["--prot", "1"],
      'Unknown flag "--prot". Did you mean --port? Run zombiecoder help for the list',
    ],
    [["--prot=1"], 'Unknown flag "--prot". Did you mean --port? Run zombiecoder help for the list'],
    [
      ["-port", "1"],
      'Unknown flag "-port". Did you mean --port? Run zombiecoder help for the list',
    ],
    [
      ["--keepalive", "1"],
      'Unknown flag "--keepalive". Did you mean --keep-alive? Run zombiecoder help for the list',
    ],
    [
      ["--model-dir", "x"],
      'Unknown flag "--model-dir". Did you mean --models-dir? Run zombiecoder help for the list',
    ],
    [
      ["--mem", "1"],
      'Unknown flag "--mem". Did you mean --memory-budget? Run zombiecoder help for the list',
    ],
    [
      ["--jsn", "config"],
      'Unknown flag "--jsn". Did you mean --json? Run zombiecoder help for the list',
    ],
    [["--hlep"], 'Unknown flag "--hlep". Did you mean --help? Run zombiecoder help for the list'],
    [["--zzzzzz"], 'Unknown flag "--zzzzzz". Run zombiecoder help for the list'],
    [["-x"], 'Unknown flag "-x". Run zombiecoder help for the list'],
    [["--a\nb"], 'Unknown flag "--a\\nb". Run zombiecoder help for the list'],
    [["--__proto__=1"], 'Unknown flag "--__proto__". Run zombiecoder help for the list'],
    [["--constructor"], 'Unknown flag "--constructor". Run zombiecoder help for the list'],
    [
      ["serv"],
      `Unknown command "serv". Did you mean "serve"? The commands are ${COMMAND_NAMES}`,
    ],
    [["toString"], `Unknown command "toString". The commands are ${COMMAND_NAMES}`],
    [[""], `Unknown command "". The commands are ${COMMAND_NAMES}`],
    [["serve", "now"], 'Cannot use "now": serve takes no further words'],
    [["help", "a", "b"], 'Cannot use "b": help takes one word'],
    [["--port"], "Cannot use --port without a value: write --port N"],
    [["--port="], "Cannot use --port without a value: write --port N"],
    [["--home", "--port", "1"], "Cannot use --home without a value: write --home DIR"],
    [["--home", "-h1"], "Cannot use --home without a value: write --home DIR"],
    [["--no-open=yes"], 'Cannot use "--no-open=yes": it takes no value'],
    [["config", "--json=1"], 'Cannot use "--json=1": it takes no value'],
    [
      ["serve", "--json"],
      "Cannot use --json with serve: run zombiecoder help serve for its own",
    ],
    [["serve", "--all"], "Cannot use --all with serve: it is a flag of stop, import"],
    [["load"], "Cannot use load alone: write zombiecoder load MODEL"],
    [["run"], "Cannot use run alone: write zombiecoder run MODEL [PROMPT...]"],
    [["keys", "--scope"], "Cannot use --scope without a value: write --scope use|admin"],
    [["keys", "--scope="], "Cannot use --scope without a value: write --scope use|admin"],
    [["keys", "--scope", "--json"], "Cannot use --scope without a value: write --scope use|admin"],
    [["run", "m", "-x"], 'Unknown flag "-x". Run zombiecoder help for the list'],
  ];
  for (const [args, message] of table) {
    assert.throws(() => parseArguments(args), (error) => {
      assert.ok(error instanceof AppError, args.join(" "));
      assert.deepEqual([error.message, error.code], [message, "bad_flag"]);
      return true;
    });
  }
});

Deno.test("COMMANDS agree on what a flag of several commands is", () => {
  const shapes = new Map<string, string>();
  for (const { switches } of COMMANDS) {
    for (const { name, short, value } of switches) {
      const shape = JSON.stringify([short ?? null, value === undefined]);
      assert.equal(shapes.get(name) ?? shape, shape, name);
      shapes.set(name, shape);
    }
  }
  const taken = [...shapes.keys()].filter((name) => SETTINGS.some(({ flag }) => flag === name));
  assert.deepEqual(taken, []);
});

Deno.test("parseArguments() suggests the flag for each flag with two letters swapped", () => {
  for (const { flag } of SETTINGS) {
    if (flag === null || flag.length < 6) continue;
    const typed = `--${flag.slice(0, 2)}${flag[3]}${flag[2]}${flag.slice(4)}`;
    if (typed === `--${flag}`) continue;
    assert.throws(() => parseArguments([typed, "1"]), { message: new RegExp(`mean --${flag}\\?`) });
  }
});

Deno.test("parseArguments() answers or throws bad_flag on one line, whatever the words are", () => {
  const known = [
    ...SETTINGS.flatMap(({ flag }) => flag === null ? [] : [`--${flag}`, `--${flag}=a\nb`]),
    ...COMMANDS.map(({ name }) => name),
    "--",
    "-",
    "-1",
    "--json",
    "",
  ];
  const words = fc.array(fc.oneof(fc.constantFrom(...known), fc.string()), { maxLength: 6 });
  fc.assert(
    fc.property(words, (args) => {
      try {
        parseArguments(args);
      } catch (error) {
        assert.ok(error instanceof AppError && error.code === "bad_flag", String(error));
        assert.ok(!error.message.includes("\n"), error.message);
      }
    }),
    { numRuns: 3_000 },
  );
});

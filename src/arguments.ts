// The words after `zombiecoder`: a command, its own words, and flags. What a flag's value means is the settings' matter.

import { parseArgs } from "node:util";
import { type Command, type CommandFlag, COMMANDS } from "./commands.ts";
import { AppError } from "./errors.ts";
import { nearest } from "./nearest.ts";
import type { Setting } from "./setting.ts";
import { SETTINGS } from "./settings.ts";

export interface ParsedArguments {
  readonly command: Command;
  /** False = no command was given: `serve`, and the dashboard is opened where there is a desktop. */
  readonly explicit: boolean;
  /** The command's own words. */
  readonly words: readonly string[];
  /** The command's own flags that were given; a value where one takes it. */
  readonly switches: ReadonlyMap<string, string | true>;
  /** Flags of settings as given, by the setting's name. */
  readonly flags: ReadonlyMap<string, string | readonly string[]>;
}

interface OptionToken {
  name: string;
  rawName: string;
  index: number;
  value: string | undefined;
  inlineValue: boolean | undefined;
}

const HELP = "Run zombiecoder help for the list";
/** More names in one line help nobody. */
const MOST_OWNERS = 4;

/** Errors: `bad_flag` with one line that says what is wrong and what is accepted. */
export function parseArguments(args: readonly string[]): ParsedArguments {
  const tokens = tokensOf(args);
  const words: string[] = [];
  const options: OptionToken[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    else if (token.kind === "option") options.push(token);
  }

  if (options.some((option) => option.name === "help")) {
    const isCommand = COMMANDS.some(({ name }) => name === words[0]);
    return answerWith("help", isCommand ? words.slice(0, 1) : []);
  }
  if (options.some((option) => option.name === "version")) return answerWith("version");
  for (const option of options) refuseUnknown(option, args[option.index] ?? option.rawName);

  const flags = new Map<string, string | string[]>();
  const others: OptionToken[] = [];
  for (const option of options) {
    const setting = SETTINGS.find((known) => known.flag === option.name);
    if (setting === undefined) {
      others.push(option);
    } else if (setting.kind.repeatable) {
      const before = flags.get(setting.name) ?? [];
      flags.set(setting.name, [...before, valueOf(option, setting)]);
    } else {
      flags.set(setting.name, valueOf(option, setting));
    }
  }

  const command = commandOf(words[0]);
  const switches = new Map(others.map((option) => switchOf(option, command)));
  const own = words.slice(1);
  const extra = own[command.mostWords];
  if (extra !== undefined) {
    throw bad(`Cannot use ${quoted(extra)}: ${command.name} takes ${counted(command.mostWords)}`);
  }
  if (own.length < command.leastWords) {
    const { name, usage } = command;
    throw bad(`Cannot use ${name} alone: write zombiecoder ${name} ${usage}`);
  }
  return { command, explicit: words.length > 0, words: own, switches, flags };
}

function tokensOf(args: readonly string[]) {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {
    help: { type: "boolean", short: "h" },
    version: { type: "boolean", short: "v" },
  };
  for (const command of COMMANDS) {
    for (const { name, short, value } of command.switches) {
      options[name] = { type: value === undefined ? "boolean" : "string", ...short && { short } };
    }
  }
  for (const { flag, kind } of SETTINGS) {
    if (flag !== null) options[flag] = { type: kind.placeholder === null ? "boolean" : "string" };
  }
  // Not strict: it refuses `--keep-alive -1`, and its messages name no flag that would be right.
  return parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
    .tokens;
}

function answerWith(name: string, words: readonly string[] = []): ParsedArguments {
  const command = commandOf(name);
  return { command, explicit: true, words, switches: new Map(), flags: new Map() };
}

function commandOf(word: string | undefined): Command {
  const command = COMMANDS.find(({ name }) => name === (word ?? "serve"));
  if (command !== undefined) return command;
  const names = COMMANDS.map(({ name }) => name);
  const meant = nearest(word ?? "", names);
  const hint = meant === null ? "" : `Did you mean ${quoted(meant)}? `;
  throw bad(`Unknown command ${quoted(word ?? "")}. ${hint}The commands are ${names.join(", ")}`);
}

function refuseUnknown(option: OptionToken, typed: string): void {
  const known = SETTINGS.flatMap(({ flag }) => flag ?? []);
  for (const command of COMMANDS) known.push(...command.switches.map(({ name }) => name));
  if (known.includes(option.name)) return;
  const word = typed.split("=", 1)[0] ?? typed;
  const meant = nearest(word.replace(/^-+/, ""), [...known, "help", "version"]);
  const hint = meant === null ? HELP : `Did you mean --${meant}? ${HELP}`;
  throw bad(`Unknown flag ${quoted(word)}. ${hint}`, { flag: word });
}

function switchOf(option: OptionToken, command: Command): [string, string | true] {
  const own = command.switches.find(({ name }) => name === option.name);
  if (own === undefined) {
    const owners = COMMANDS.filter(({ switches }) =>
      switches.some(({ name }) => name === option.name)
    ).map(({ name }) => name);
    const whose = owners.length > MOST_OWNERS
      ? `run zombiecoder help ${command.name} for its own`
      : `it is a flag of ${owners.join(", ")}`;
    throw bad(`Cannot use ${option.rawName} with ${command.name}: ${whose}`);
  }
  if (own.value === undefined) {
    refuseValue(option);
    return [option.name, true];
  }
  if (lacksValue(option) || option.value === "") {
    throw bad(`Cannot use ${option.rawName} without a value: write ${flagUsage(own)}`, {
      flag: option.rawName,
    });
  }
  return [option.name, option.value!];
}

function valueOf(option: OptionToken, setting: Setting): string {
  if (setting.kind.placeholder === null) {
    refuseValue(option);
    return "true";
  }
  const { value } = option;
  if (lacksValue(option) || value === "" && !setting.kind.repeatable) {
    throw bad(`Cannot use ${option.rawName} without a value: write ${usageOf(setting)}`, {
      flag: option.rawName,
    });
  }
  return value!;
}

// Only a number may begin with a dash: what looks like a flag is the next flag, and the value is missing.
function lacksValue({ value, inlineValue }: OptionToken): boolean {
  return value === undefined || inlineValue !== true && /^-[^\d.]/.test(value);
}

function refuseValue(option: OptionToken): void {
  if (option.value === undefined) return;
  throw bad(`Cannot use ${quoted(`${option.rawName}=${option.value}`)}: it takes no value`, {
    flag: option.rawName,
  });
}

/** `--keep-alive DURATION` */
export function usageOf(setting: Setting): string {
  const { placeholder } = setting.kind;
  return placeholder === null ? `--${setting.flag}` : `--${setting.flag} ${placeholder}`;
}

/** `-f, --follow`, `--scope use|admin` */
export function flagUsage({ name, short, value }: CommandFlag): string {
  const long = value === undefined ? `--${name}` : `--${name} ${value}`;
  return short === undefined ? long : `-${short}, ${long}`;
}

function counted(words: number): string {
  if (words === 0) return "no further words";
  return words === 1 ? "one word" : `${words} words`;
}

/** In quotes, on one line, whatever it contains. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

function bad(message: string, values: Record<string, string> = {}): AppError {
  return new AppError("bad_flag", message, { values });
}

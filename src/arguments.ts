// The words after `zombiecoder`: a command, its own words, and flags. What a flag's value means is the settings' matter.

import { parseArgs } from "node:util";
import { AppError } from "./errors.ts";
import { nearest } from "./nearest.ts";
import type { Setting } from "./setting.ts";
import { SETTINGS } from "./settings.ts";

export interface Command {
  readonly name: string;
  readonly help: string;
  /** How its own words look in the usage line; "" = it takes none. */
  readonly usage: string;
  readonly maxWords: number;
  /** Flags without a value that only this command has. */
  readonly switches: readonly { readonly name: string; readonly help: string }[];
  /** False = it answers even where the settings are wrong. */
  readonly needsSettings: boolean;
}

export const COMMANDS: readonly Command[] = [
  {
    name: "serve",
    help: "Start the server (the default)",
    usage: "",
    maxWords: 0,
    switches: [],
    needsSettings: true,
  },
  {
    name: "config",
    help: "Print each setting with its value and source",
    usage: "",
    maxWords: 0,
    switches: [{ name: "json", help: "As JSON" }],
    needsSettings: true,
  },
  {
    name: "version",
    help: "Print the version",
    usage: "",
    maxWords: 0,
    switches: [],
    needsSettings: false,
  },
  {
    name: "help",
    help: "Print this help",
    usage: "",
    maxWords: 1,
    switches: [],
    needsSettings: false,
  },
];

export interface ParsedArguments {
  readonly command: Command;
  /** False = no command was given: `serve`, and the dashboard is opened where there is a desktop. */
  readonly explicit: boolean;
  /** The command's own words. */
  readonly words: readonly string[];
  /** The command's own flags that were given. */
  readonly switches: ReadonlySet<string>;
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

/** Errors: `bad_flag` with one line that says what is wrong and what is accepted. */
export function parseArguments(args: readonly string[]): ParsedArguments {
  const tokens = tokensOf(args);
  const words: string[] = [];
  const options: OptionToken[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    else if (token.kind === "option") options.push(token);
  }

  if (options.some((option) => option.name === "help")) return answerWith("help");
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
  const switches = new Set(others.map((option) => switchOf(option, command)));
  const own = words.slice(1);
  const extra = own[command.maxWords];
  if (extra !== undefined) {
    throw bad(`Cannot use ${quoted(extra)}: ${command.name} takes ${counted(command.maxWords)}`);
  }
  return { command, explicit: words.length > 0, words: own, switches, flags };
}

function tokensOf(args: readonly string[]) {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {
    help: { type: "boolean", short: "h" },
    version: { type: "boolean", short: "v" },
  };
  for (const command of COMMANDS) {
    for (const { name } of command.switches) options[name] = { type: "boolean" };
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

function answerWith(name: string): ParsedArguments {
  const command = commandOf(name);
  return { command, explicit: true, words: [], switches: new Set(), flags: new Map() };
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

function switchOf(option: OptionToken, command: Command): string {
  function has({ switches }: Command): boolean {
    return switches.some(({ name }) => name === option.name);
  }
  if (!has(command)) {
    const owners = COMMANDS.filter(has).map(({ name }) => name).join(", ");
    throw bad(`Cannot use ${option.rawName} with ${command.name}: it is a flag of ${owners}`);
  }
  refuseValue(option);
  return option.name;
}

function valueOf(option: OptionToken, setting: Setting): string {
  if (setting.kind.placeholder === null) {
    refuseValue(option);
    return "true";
  }
  const { value } = option;
  // Only a number may begin with a dash: what looks like a flag is the next flag, and the value is missing.
  const missing = value === undefined || value === "" && !setting.kind.repeatable ||
    option.inlineValue !== true && /^-[^\d.]/.test(value);
  if (missing) {
    throw bad(`Cannot use ${option.rawName} without a value: write ${usageOf(setting)}`, {
      flag: option.rawName,
    });
  }
  return value;
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

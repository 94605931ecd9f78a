// `zombiecoder help` and `--help`: usage, from the tables of commands and settings.

import { flagUsage, usageOf } from "../arguments.ts";
import { type Command, COMMANDS } from "../commands.ts";
import type { LoadedConfig } from "../config.ts";
import { AppError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { Setting } from "../setting.ts";
import { SETTINGS } from "../settings.ts";
import type { Io } from "./io.ts";
import { programName } from "./program_name.ts";

/** Returns the exit code. Throws `bad_flag` for the help of no command. */
export function printHelp(
  { words, switches }: Pick<LoadedConfig, "words" | "switches">,
  io: Io,
): Promise<number> {
  const [word] = words;
  if (switches.has("json")) {
    // Any number of words is no number of JSON's.
    io.out(`${JSON.stringify(COMMANDS.map(({ needsSettings: _, ...shown }) => shown), null, 2)}\n`);
  } else {
    io.out(word === undefined ? helpText() : commandHelp(commandNamed(word)));
  }
  return Promise.resolve(0);
}

function commandNamed(word: string): Command {
  const found = COMMANDS.find(({ name }) => name === word);
  if (found !== undefined) return found;
  const meant = nearest(word, COMMANDS.map(({ name }) => name));
  const hint = meant === null ? "" : `. Did you mean ${JSON.stringify(meant)}?`;
  throw new AppError(
    "bad_flag",
    `Cannot help with ${JSON.stringify(word)}: no such command${hint}`,
  );
}

function commandHelp(command: Command): string {
  const { name, usage, help, switches } = command;
  const words = usage === "" ? name : `${name} ${usage}`;
  const text = `Usage: ${programName()} ${words}${
    switches.length > 0 ? " [FLAGS]" : ""
  }\n\n${help}.\n`;
  const rows = switches.map((own): Entry => [flagUsage(own), own.help]);
  const flags = rows.length > 0 ? `\n${section("Flags", rows)}` : "";
  return `${text}${flags}\nThe flags of zombiecoder help, such as --home DIR, go with every command.\n`;
}

export function helpText(program = programName()): string {
  const flags = SETTINGS.filter(({ flag }) => flag !== null);
  const variables = SETTINGS.filter(({ flag, environment }) =>
    flag === null && environment !== null
  );
  const fileOnly = SETTINGS.filter(({ flag, environment }) =>
    flag === null && environment === null
  );
  return [
    `Usage: ${program} [COMMAND] [FLAGS]\n`,
    section("Commands", COMMANDS.map(({ name, help }): Entry => [name, help])),
    `${program} help COMMAND shows a command's own words and flags.\n`,
    section("Flags", [
      ...flags.map((row): Entry => [usageOf(row), described(row)]),
      ["-h, --help", "Print this help"],
      ["-v, --version", "Print the version"],
    ]),
    section("Environment", [
      ...flags.map((row): Entry => [row.environment ?? "", variableHelp(row)]),
      ...variables.map((row): Entry => [row.environment ?? "", described(row)]),
    ]),
    section("Only in config.json", fileOnly.map((row): Entry => [row.name, described(row)])),
    `A flag wins over the environment, that over config.json in the home folder, that over the default.
Lines marked * are never read from config.json. A DURATION is "90s", "10m", "1h30m" or a number of
seconds; a SIZE is "4GB", "512MiB" or a number of bytes.
`,
  ].join("\n");
}

type Entry = [left: string, right: string];

function described(setting: Setting): string {
  const text = setting.fallbackText ?? setting.fallback ?? "none";
  const fallback = setting.kind.placeholder === null ? "" : ` (default ${text})`;
  return `${setting.help}${fallback}${setting.locked ? " *" : ""}`;
}

function variableHelp(setting: Setting): string {
  // The key itself, where the flag names a file: a variable does not show in the list of processes.
  return setting.secret === true ? "The API key itself" : `As --${setting.flag}`;
}

function section(title: string, entries: readonly Entry[]): string {
  const width = Math.max(...entries.map(([left]) => left.length));
  const lines = entries.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`);
  return `${title}:\n${lines.join("")}`;
}

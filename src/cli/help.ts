// `zombiecoder help` and `--help`: usage, from the tables of commands and settings.

import { type Command, COMMANDS, usageOf } from "../arguments.ts";
import type { Setting } from "../setting.ts";
import { SETTINGS } from "../settings.ts";
import type { Io } from "./io.ts";

/** Returns the exit code. */
export function printHelp(_parsed: unknown, io: Io): Promise<number> {
  io.out(helpText());
  return Promise.resolve(0);
}

export function helpText(): string {
  const flags = SETTINGS.filter(({ flag }) => flag !== null);
  const variables = SETTINGS.filter(({ flag, environment }) =>
    flag === null && environment !== null
  );
  const fileOnly = SETTINGS.filter(({ flag, environment }) =>
    flag === null && environment === null
  );
  return [
    "Usage: zombiecoder [COMMAND] [FLAGS]\n",
    section("Commands", COMMANDS.flatMap(commandRows)),
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

function commandRows(command: Command): Entry[] {
  const name = command.usage === "" ? command.name : `${command.name} ${command.usage}`;
  return [
    [name, command.help],
    ...command.switches.map((own): Entry => [`${command.name} --${own.name}`, own.help]),
  ];
}

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

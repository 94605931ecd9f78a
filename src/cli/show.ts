// `zombiecoder show MODEL`: what is known of it, what was set for it, and how it would be started.

import type { ModelRow, ModelSettings } from "../api_types.ts";
import { sizeText, timeText } from "./amounts.ts";
import type { CommandContext } from "./command_context.ts";
import { connect } from "./connection.ts";
import { findModel, modelPath } from "./model_lookup.ts";
import { jsonText, plainLine } from "./plain_text.ts";
import { formatFacts } from "./table.ts";

export async function showModel(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  using client = await connect(context);
  const row = await findModel(client, loaded.words[0]!);
  const settings = await client.json<ModelSettings>(modelPath(row.id, "/settings"));
  if (loaded.switches.has("json")) {
    terminal.out(`${jsonText({ ...row, settings }, 2)}\n`);
    return 0;
  }
  terminal.out(formatFacts(factsOf(row), terminal.paint));
  const set = Object.entries(settings).filter(([, value]) => isSet(value));
  if (set.length > 0) {
    terminal.out(`\n${terminal.paint("bold", "Set for this model")}\n`);
    terminal.out(formatFacts(
      set.map(([name, value]) => [
        `  ${name}`,
        typeof value === "string" ? value : JSON.stringify(value),
      ]),
      terminal.paint,
    ));
  }
  if (row.error !== null) {
    terminal.out(`\n${terminal.paint("red", plainLine(row.error.message))}\n`);
    for (const line of row.error.log.slice(-MOST_LOG_LINES)) {
      terminal.out(`  ${terminal.paint("dim", plainLine(line))}\n`);
    }
  }
  return 0;
}

const MOST_LOG_LINES = 10;

function factsOf(row: ModelRow): [string, string][] {
  const facts: [string, string | null][] = [
    ["Name", row.id],
    ["Also known as", row.aliases.join(", ") || null],
    ["Size", sizeText(row.size_bytes)],
    ["Quantization", row.quantization],
    ["Architecture", row.architecture],
    ["Trained context", row.context_length === null ? null : `${row.context_length} tokens`],
    ["Can", row.capabilities.join(", ") || null],
    ["Lies in", SOURCES[row.source] ?? row.source],
    ["State", row.state],
    ["Port", row.port === null ? null : String(row.port)],
    ["Memory", row.memory_bytes === null ? null : sizeText(row.memory_bytes)],
    ["Stays loaded", staysText(row)],
    ["Fit", row.badge?.reason ?? null],
    ["Context here", row.fit === null ? null : `${row.fit.context} tokens`],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== null);
}

const SOURCES: Readonly<Record<string, string>> = {
  home: "the home folder",
  folder: "a folder of --models-dir",
  import: "another program's folder",
  builtin: "this program",
};

function staysText({ pinned, keep_alive_ms }: ModelRow): string {
  if (pinned) return "pinned: until it is stopped";
  return keep_alive_ms < 0 ? "for ever" : `${timeText(keep_alive_ms / 1000)} after its last answer`;
}

function isSet(value: unknown): boolean {
  if (value === null || value === false) return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

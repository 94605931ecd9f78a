// `zombiecoder config`: each setting with its value and where that came from.

import type { SettingRow } from "../api_types.ts";
import type { LoadedConfig } from "../config.ts";
import { describeSettings } from "../config_values.ts";
import type { Setting } from "../setting.ts";
import { SETTINGS } from "../settings.ts";
import { formatSize } from "../size.ts";
import type { Io } from "./io.ts";
import { textWidth } from "./text_width.ts";

type Parsed = Pick<LoadedConfig, "config" | "switches" | "warnings">;

/** Returns the exit code. */
export function printConfig(parsed: Parsed, io: Io): Promise<number> {
  const rows = describeSettings(parsed.config);
  for (const warning of parsed.warnings) io.err(`${warning}\n`);
  io.out(parsed.switches.has("json") ? `${JSON.stringify(rows, null, 2)}\n` : table(rows));
  return Promise.resolve(0);
}

function table(rows: readonly SettingRow[]): string {
  const cells = rows.map((row) => [row.name, valueText(row), sourceText(row)] as const);
  const nameWidth = Math.max(...cells.map(([name]) => name.length));
  const valueWidth = Math.max(...cells.map(([, value]) => textWidth(value)));
  return cells.map(([name, value, source]) => {
    const gap = " ".repeat(valueWidth - textWidth(value));
    return `${name.padEnd(nameWidth)}  ${value}${gap}  ${source}\n`;
  }).join("");
}

function valueText(row: SettingRow): string {
  const setting = SETTINGS.find(({ name }) => name === row.name);
  if (row.value === null) return `(${setting?.fallbackText ?? "none"})`;
  if (Array.isArray(row.value)) {
    return row.value.length === 0 ? `(${setting?.fallbackText ?? "none"})` : row.value.join(",");
  }
  if (typeof row.value === "number" && isSize(setting)) return formatSize(row.value);
  return String(row.value);
}

function isSize(setting: Setting | undefined): boolean {
  return setting?.kind.placeholder === "SIZE";
}

/** The exact flag or variable, so that it can be found and changed. */
function sourceText(row: SettingRow): string {
  if (row.source === "flag") return row.flag ?? "flag";
  return row.source === "environment" ? row.environment ?? "environment" : row.source;
}

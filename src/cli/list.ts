// `zombiecoder list`: the models on this computer.

import type { ModelRow } from "../api_types.ts";
import { sizeText } from "./amounts.ts";
import { badgeCell } from "./badge_words.ts";
import type { CommandContext } from "./command_context.ts";
import { connect } from "./connection.ts";
import { jsonText } from "./plain_text.ts";
import { formatTable } from "./table.ts";

export async function listModels(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  using client = await connect(context);
  const rows = await client.json<ModelRow[]>("/admin/models");
  if (loaded.switches.has("json")) {
    terminal.out(`${jsonText(rows, 2)}\n`);
    return 0;
  }
  terminal.out(formatTable(
    [
      { title: "NAME", shrinks: true },
      { title: "SIZE", align: "right" },
      { title: "QUANTIZATION" },
      { title: "CONTEXT", align: "right" },
      { title: "STATE" },
      { title: "FIT" },
    ],
    {
      rows: rows.map((row) => [
        row.id,
        sizeText(row.size_bytes),
        row.quantization ?? "",
        row.context_length === null ? "" : String(row.context_length),
        stateCell(row),
        badgeCell(row.badge),
      ]),
      width: terminal.hasOutput ? terminal.columns() : null,
      paint: terminal.paint,
    },
  ));
  if (rows.every(({ builtin }) => builtin)) {
    terminal.err(
      "No model of your own yet: zombiecoder search WORDS finds some, zombiecoder pull NAME downloads one\n",
    );
  }
  return 0;
}

export function stateCell({ state, progress }: ModelRow) {
  const percent = state === "loading" && progress !== null
    ? ` ${Math.floor(progress * 100)} %`
    : "";
  const text = state + percent;
  if (state === "ready") return { text, paint: "green" as const };
  return state === "failed" || state === "missing" ? { text, paint: "red" as const } : { text };
}

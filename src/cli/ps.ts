// `zombiecoder ps`: the models in memory. It starts no server: without one there are none.

import type { ModelRow } from "../api_types.ts";
import { sizeText, timeText } from "./amounts.ts";
import type { CommandContext } from "./command_context.ts";
import { connectRunning } from "./connection.ts";
import { stateCell } from "./list.ts";
import { jsonText } from "./plain_text.ts";
import { formatTable } from "./table.ts";

export async function listLoaded(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  using client = await connectRunning(context);
  const all = client === null ? [] : await client.json<ModelRow[]>("/admin/models");
  const rows = all.filter(isInMemory);
  if (loaded.switches.has("json")) {
    terminal.out(`${jsonText(rows, 2)}\n`);
    return 0;
  }
  terminal.out(formatTable(
    [
      { title: "NAME", shrinks: true },
      { title: "STATE" },
      { title: "MEMORY", align: "right" },
      { title: "PORT", align: "right" },
      { title: "REQUESTS", align: "right" },
      { title: "UNTIL" },
    ],
    {
      rows: rows.map((row) => [
        row.id,
        stateCell(row),
        row.memory_bytes === null ? "" : sizeText(row.memory_bytes),
        row.port === null ? "" : String(row.port),
        row.queued === 0 ? String(row.leases) : `${row.leases} + ${row.queued} waiting`,
        untilText(row),
      ]),
      width: terminal.hasOutput ? terminal.columns() : null,
      paint: terminal.paint,
    },
  ));
  if (client === null) terminal.err("The server is not running\n");
  return 0;
}

export function isInMemory({ state }: Pick<ModelRow, "state">): boolean {
  return state === "loading" || state === "ready" || state === "stopping";
}

function untilText({ pinned, expires_at, keep_alive_ms, leases }: ModelRow): string {
  if (pinned) return "pinned";
  if (expires_at !== null) {
    return `${timeText((Date.parse(expires_at) - Date.now()) / 1000)} from now`;
  }
  if (leases > 0) return "in use";
  return keep_alive_ms < 0 ? "for ever" : "";
}

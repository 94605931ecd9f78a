// The quantizations of a model on the Hub, each with what this computer can do with it.

import type { HubModel } from "../api_types.ts";
import { sizeText } from "./amounts.ts";
import { badgeCell } from "./badge_words.ts";
import { formatTable } from "./table.ts";
import type { Terminal } from "./terminal.ts";

export function hubTable(models: readonly HubModel[], terminal: Terminal): string {
  return formatTable(
    [
      { title: "QUANTIZATION" },
      { title: "SIZE", align: "right" },
      { title: "FIT" },
      { title: "WHY", shrinks: true },
    ],
    {
      rows: models.map((model) => [
        model.quantization ?? model.id,
        sizeText(model.size_bytes),
        model.installed ? { text: "Installed", paint: "cyan" } : badgeCell(model.badge),
        model.badge?.reason ?? "Nothing is known but its size",
      ]),
      width: terminal.hasOutput ? terminal.columns() : null,
      paint: terminal.paint,
    },
  );
}

// Badges in words and colours.

import type { Badge, BadgeLevel } from "../api_types.ts";
import type { Paint } from "./paint.ts";
import type { Cell } from "./table.ts";

const WORDS: Readonly<Record<BadgeLevel, { text: string; paint: Paint }>> = {
  recommended: { text: "Recommended", paint: "green" },
  compatible: { text: "Compatible", paint: "yellow" },
  not_recommended: { text: "Not recommended", paint: "red" },
};

export function badgeCell(badge: Pick<Badge, "level"> | null): Cell {
  return badge === null ? { text: "?" } : WORDS[badge.level];
}

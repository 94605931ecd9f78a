// Which model a first visitor is offered: the best that suits this computer and this language.

/** @import { CatalogueRow, HubModel } from "../../src/api_types.ts" */
/** @typedef {{ row: CatalogueRow, file: HubModel }} Offer */

/** A second one for a slow network is worth showing if it is so much smaller. */
const MUCH_SMALLER = 0.6;
const SMALL_BYTES = 1e9;
/** Whoever has never seen one answer should not wait a day for it: larger ones come later. */
const MOST_BYTES = 6e9;

/**
 * @param {readonly CatalogueRow[]} rows
 * @param {{ language: string }} user
 * @returns {{ best: Offer | null, smaller: Offer | null }}
 */
export function welcomeChoice(rows, { language }) {
  const usable = rows.flatMap((row) => {
    const file = row.choice === null ? undefined : row.files[row.choice];
    const isForTalk = row.roles[0] === "chat" && !row.gated;
    return file !== undefined && isForTalk ? [{ row, file }] : [];
  });
  const recommended = usable.filter(({ row }) => row.badge?.level === "recommended");
  // Who reads Bengali wants to be answered in it, if anything that runs well can.
  const speaking = recommended.filter(({ row }) => row.languages.includes(language));
  const good = speaking.length > 0 ? speaking : recommended;
  if (good.length === 0) {
    const possible = usable.filter(({ row }) => row.badge?.level === "compatible");
    return { best: possible.toSorted(bySize)[0] ?? null, smaller: null };
  }
  const sorted = good.toSorted(bySize);
  const bearable = sorted.filter(({ file }) => file.size_bytes <= MOST_BYTES);
  const best = bearable.find(({ row }) => row.best) ?? bearable.at(-1) ?? sorted[0] ?? null;
  // Not the smallest: those answer poorly.
  const small = sorted.findLast(({ file }) => file.size_bytes <= SMALL_BYTES) ?? sorted[0] ?? null;
  const isSmaller = best !== null && small !== null &&
    small.file.size_bytes < best.file.size_bytes * MUCH_SMALLER;
  return { best, smaller: isSmaller ? small : null };
}

/**
 * @param {Offer} a
 * @param {Offer} b
 */
function bySize(a, b) {
  return a.file.size_bytes - b.file.size_bytes;
}

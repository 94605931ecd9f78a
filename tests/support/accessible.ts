// What every view must be: usable by everyone in both languages and themes, and no wider than its screen.

import assert from "node:assert/strict";
import type { OpenPage, PageOptions } from "./browser.ts";

/** Both languages, both themes, wide and narrow: in two pages, for a browser takes its time to start. */
export const LOOKS: readonly Pick<PageOptions, "language" | "theme" | "viewport">[] = [
  { language: "en", theme: "light", viewport: { width: 1280, height: 800 } },
  { language: "bn", theme: "dark", viewport: { width: 360, height: 800 } },
];

/** A colour that is inherited begins to change when its parent's has changed: level by level. */
const COLOURS_AT_REST = `(async () => {
  const frame = () => new Promise(requestAnimationFrame);
  const isMoving = (each) => each.effect.getComputedTiming().iterations !== Infinity;
  do {
    await frame();
    await frame();
  } while (document.getAnimations().some(isMoving));
})()`;

/** Looks at it in both themes, and leaves a screenshot of each. */
export async function assertAccessible(open: OpenPage, name: string): Promise<void> {
  const root = "document.documentElement";
  const theme = await open.page.evaluate<string>(`${root}.dataset.theme`);
  for (const each of [theme === "dark" ? "light" : "dark", theme]) {
    await open.page.evaluate(`${root}.dataset.theme = "${each}"`);
    await open.page.evaluate(COLOURS_AT_REST);
    await open.axe();
    await open.screenshot(name, { fullPage: true, theme: each });
  }
  assert.equal(await open.page.evaluate(`${root}.scrollWidth - ${root}.clientWidth`), 0);
}

import { ok } from "node:assert/strict";
import { join } from "node:path";
import { writeTestModel } from "../../src/models/hello_model.ts";
import { type OpenPage, openPage } from "../support/browser.ts";
import { type FrameWork, workOf } from "../support/frame_work.ts";
import { startServer } from "../support/server_process.ts";
import { soakCount } from "../support/soak.ts";

const DOORS = "28560-28580";
const TOKENS = soakCount(10_000);
const RUNS = 5;
const MOST_MS = 50;

/** All that an answer is made of, again and again. */
const BLOCKS = "## Heading of this part\n\nSome **strong** words, `inline code`, and a " +
  "[link](https://example.com/page) stand together here, followed by more plain words that fill " +
  "several lines of the window, so that breaking them is real work for whoever lays them out.\n\n" +
  "1. First point\n2. Second point, longer than before\n3. Third point with *emphasis*\n\n" +
  "```python\ndef double(number):\n    return number * 2\n\nprint(double(21))\n```\n\n" +
  "| Name | Meaning |\n| --- | --- |\n| alpha | beginning |\n| omega | ending |\n\n" +
  "> Quoted saying of somebody wise\n\n- apples\n- bananas\n- cherries\n\n";
/** One paragraph that never ends. */
const ENDLESS = "lorem ipsum dolor sit amet consectetur adipiscing elit sed eiusmod tempor ";

for (
  const [what, sentence] of [["blocks of all kinds", BLOCKS], ["one endless paragraph", ENDLESS]]
) {
  Deno.test(`ChatView() draws ${TOKENS} tokens of ${what} in frames of ${MOST_MS} ms at most`, async () => {
    await using server = await startServer({
      doors: DOORS,
      prepare: (home) =>
        writeTestModel(join(home, "talker.gguf"), {
          sentence: sentence!,
          endless: true,
          contextLength: 16_384,
        }),
    });
    await server.fetch("/admin/models/talker/settings", {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ context: 12_000, threads: 1 }),
    });
    await server.post("/admin/models/talker/load", {});
    await using opened = await openPage({ server, path: "#/chat/talker", ownBrowser: true });
    const { page } = opened;
    await page.getByRole("button", { name: "Instructions" }).click();
    await page.getByRole("spinbutton", { name: "Longest answer" }).fill(String(TOKENS));
    await page.keyboard.press("Escape");
    const runs: FrameWork[] = [];
    const heaps: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      await page.getByRole("button", { name: "New talk" }).first().click();
      runs.push(await workOf(opened, () => answer(opened)));
      heaps.push(await heapBytes(opened));
    }
    const work = runs.map(({ longestMs }) => longestMs);
    const figures = `longest pieces of work ${rounded(work)}, longest frames by the clock ` +
      `${rounded(runs.map(({ longestFrameMs }) => longestFrameMs))}, heap ${
        rounded(heaps.map((bytes) => bytes / 1e6))
      } MB`;
    if (Deno.env.get("ZOMBIE_SOAK")) {
      Deno.stderr.writeSync(new TextEncoder().encode(`${figures}\n`));
    }
    ok(medianOf(work) <= MOST_MS, figures);
    // What one talk took is free again when the next has taken its place.
    ok(heaps.at(-1)! < heaps[1]! * 1.25 + 2e6, figures);
  });
}

async function answer({ page }: OpenPage): Promise<void> {
  await page.getByRole("textbox", { name: "Your message" }).fill("hi");
  await page.keyboard.press("Enter");
  const end = page.getByText("The answer ends here");
  await end.waitFor({ timeout: 280_000 });
}

async function heapBytes({ page, context }: OpenPage): Promise<number> {
  const session = await context.newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return usedSize;
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function rounded(values: readonly number[]): string {
  return values.map((value) => value.toFixed(1)).join(" ");
}

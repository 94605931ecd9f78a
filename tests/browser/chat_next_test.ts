// What is done right after an answer, or while one is being written.

import { deepEqual, equal } from "node:assert/strict";
import { join } from "node:path";
import { HELLO_SENTENCE, writeTestModel } from "../../src/models/hello_model.ts";
import { openPage } from "../support/browser.ts";
import { LASTING_MODEL } from "../support/gguf_files.ts";
import { answersOf, say } from "../support/page_chat.ts";
import { startServer } from "../support/server_process.ts";

const DOORS = "28620-28640";

Deno.test("ChatView() takes the next question while the last answer's numbers are not there yet", async () => {
  await using server = await startServer({ doors: DOORS });
  await using opened = await openPage({ server, path: "#/chat/hello" });
  const { page } = opened;
  const asked = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  await page.route("**/props", async (route) => {
    asked.resolve();
    await held.promise;
    await route.continue();
  });
  await say(opened, "my first question");
  await asked.promise;
  await say(opened, "my second question");
  await answersOf(opened).nth(1).getByText(HELLO_SENTENCE).waitFor();
  await page.getByRole("button", { name: "New talk" }).first().click();
  await page.getByRole("heading", { name: "What would you like to know?" }).waitFor();
  await say(opened, "my third question");
  await answersOf(opened).getByText(HELLO_SENTENCE).waitFor();
  held.resolve();
  await answersOf(opened).getByText(/^\d+ of [\d,]+ tokens of context/).waitFor();
  equal(await answersOf(opened).count(), 1);
});

Deno.test("ChatView() does not bring back a talk that is deleted while its answer is written", async () => {
  await using server = await startServer({
    doors: DOORS,
    prepare: (home) => writeTestModel(join(home, "endless.gguf"), LASTING_MODEL),
  });
  await using opened = await openPage({ server, path: "#/chat/endless" });
  const { page } = opened;
  await say(opened, "count for ever");
  await answersOf(opened).getByText(/one two three four/).waitFor();
  const talks = page.getByRole("complementary", { name: "Talks" });
  await talks.getByRole("button", { name: "Delete the talk “count for ever”" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("heading", { name: "What would you like to know?" }).waitFor();
  // Another talk is asked and kept after the answer of the first has ended.
  await say(opened, "again");
  await answersOf(opened).getByText(/one two three four/).waitFor();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await answersOf(opened).getByText("You stopped it here.").waitFor();
  await page.reload();
  await talks.getByText("again").waitFor();
  deepEqual(await talks.getByRole("listitem").count(), 1);
});

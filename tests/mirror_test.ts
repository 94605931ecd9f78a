import { equal, match } from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { chat, rowOf } from "./support/chat.ts";
import { startServer, until } from "./support/server_process.ts";
import { sentenceOf, writeSpeakers } from "./support/speakers.ts";

Deno.test("A row that could not be written while another program held the registry is written soon after", async () => {
  await using server = await startServer({ prepare: (home) => writeSpeakers(home, ["a"]) });
  using database = new DatabaseSync(join(server.home, "registry.db"), { timeout: 5_000 });
  const status = database.prepare("SELECT status FROM instances WHERE model_id = 'a'");
  await until(() => status.get() !== undefined);
  database.exec("BEGIN IMMEDIATE");
  equal((await chat(server, "a")).text, sentenceOf("a"));
  equal((await rowOf(server, "a")).state, "ready");
  equal(status.get()!["status"], "Stopped");
  database.exec("COMMIT");
  // Long before the next sweep, which comes after minutes.
  await until(() => status.get()!["status"] === "Ready");
  await until(() => /written to the registry again/.test(logOf(server.home)));
  match(logOf(server.home), /registry\.db/);
});

function logOf(home: string): string {
  const dir = join(home, "logs");
  return [...Deno.readDirSync(dir)].map(({ name }) => Deno.readTextFileSync(join(dir, name))).join(
    "",
  );
}

import assert from "node:assert/strict";
import { UncaughtErrors } from "../src/host/uncaught_errors.ts";
import { logEntries } from "./support/log_entries.ts";

Deno.test("UncaughtErrors logs what nobody caught, and rejects with it", async () => {
  const logged = logEntries();
  using uncaught = new UncaughtErrors(logged.log);
  const bug = new Error("a bug of the test");
  void Promise.reject(bug);
  await assert.rejects(uncaught.first, bug);
  const entry = logged.entries.find(({ message }) => message === "A bug")!;
  assert.equal(entry.level, "error");
  assert.equal(entry.fields.reason, "a bug of the test");
  assert.match(String(entry.fields.stack), /uncaught_errors_test\.ts/);
});

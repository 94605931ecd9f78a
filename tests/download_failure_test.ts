import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { diskFailure, diskFull, isDiskFull, verdictOf } from "../src/models/download_failure.ts";

const BACK_OFF = { firstMs: 1_000, mostMs: 300_000 };

function verdict(code: AppError["code"], more: Partial<Parameters<typeof verdictOf>[1]> = {}) {
  return verdictOf(new AppError(code, "It went wrong"), {
    failures: 1,
    wrongChecksums: 0,
    backOff: BACK_OFF,
    random: 1,
    ...more,
  });
}

Deno.test("verdictOf() tries again what passes, and only that", () => {
  const passing: AppError["code"][] = [
    ...["hub_unreachable", "hub_failed", "hub_rate_limited"] as const,
    ...["download_failed", "download_stalled", "download_changed"] as const,
  ];
  for (const code of passing) assert.equal(verdict(code).kind, "retry", code);
  const final: AppError["code"][] = [
    ...["hub_gated", "hub_token_refused", "hub_not_found", "hub_host_refused"] as const,
    ...["file_name_refused", "folder_unusable", "internal"] as const,
  ];
  for (const code of final) assert.equal(verdict(code).kind, "failed", code);
  assert.equal(verdict("disk_full").kind, "room");
  assert.equal(verdict("checksum_wrong", { wrongChecksums: 1 }).kind, "retry");
  assert.equal(verdict("checksum_wrong", { wrongChecksums: 2 }).kind, "failed");
});

Deno.test("verdictOf() takes what the registry says of a full disk or a busy file for what it is", () => {
  const kinds = ["disk_full", "busy", "damaged"].map((reason) =>
    verdictOf(new AppError("folder_unusable", "It went wrong", { values: { reason } }), {
      failures: 1,
      wrongChecksums: 0,
      backOff: { firstMs: 1, mostMs: 1 },
      random: 0,
    }).kind
  );
  assert.deepEqual(kinds, ["room", "retry", "failed"]);
});

Deno.test("verdictOf() doubles the wait up to five minutes, with a random half", () => {
  const waits = [1, 2, 3, 9, 10, 1_000].map((failures) => verdict("hub_failed", { failures }));
  assert.deepEqual(
    waits.map((each) => each.kind === "retry" && each.afterMs),
    [1_000, 2_000, 4_000, 256_000, 300_000, 300_000],
  );
  assert.deepEqual(verdict("hub_failed", { random: 0 }), { kind: "retry", afterMs: 500 });
});

Deno.test("verdictOf() waits at least as long as the Hub asked for", () => {
  const error = new AppError("hub_rate_limited", "Too often", { retryAfterSeconds: 42 });
  const options = { wrongChecksums: 0, backOff: BACK_OFF, random: 0.5 };
  assert.deepEqual(verdictOf(error, { failures: 1, ...options }), {
    kind: "retry",
    afterMs: 42_000,
  });
  const late = verdictOf(error, { failures: 20, ...options });
  assert.ok(late.kind === "retry" && late.afterMs > 42_000);
});

Deno.test("diskFailure() tells a full disk from a broken one, and leaves other errors alone", () => {
  const full = Object.assign(new Error("No space left on device (os error 28)"), {
    code: "ENOSPC",
  });
  assert.equal(diskFailure(full, "/x")?.code, "disk_full");
  const quota = Object.assign(new Error("Disk quota exceeded"), { code: "EDQUOT" });
  assert.equal(diskFailure(quota, "/x")?.code, "disk_full");
  assert.equal(diskFailure(new Deno.errors.PermissionDenied("no"), "/x")?.code, "folder_unusable");
  const broken = Object.assign(new Error("Input/output error"), { code: "EIO" });
  assert.equal(diskFailure(broken, "/x")?.code, "folder_unusable");
  const others = [
    new TypeError("a bug"),
    new DOMException("aborted", "AbortError"),
    new AppError("hub_gated", "Closed"),
  ];
  for (const other of others) assert.equal(diskFailure(other, "/x"), null, String(other));
});

Deno.test("isDiskFull() knows what the registry says of the same disk", () => {
  const values = { path: "/x", reason: "disk_full" };
  assert.ok(isDiskFull(new AppError("folder_unusable", "Full", { values })));
  assert.ok(!isDiskFull(new AppError("folder_unusable", "Busy", { values: { reason: "busy" } })));
});

Deno.test("diskFull() says how much is needed and how much is there", () => {
  const { message, values } = diskFull({ needBytes: 2.44e9, freeBytes: 512e6 });
  assert.match(message, /it needs 2\.4 GB and 512 MB are free\. Free some space/);
  assert.deepEqual(values, { need_bytes: 2.44e9, free_bytes: 512e6 });
});

import assert from "node:assert/strict";
import { bestForThisComputer } from "../src/orchestrator/badge.ts";

const badge = (level: "recommended" | "compatible" | "not_recommended") => ({ level });

Deno.test("bestForThisComputer() is the largest recommended one, the first of equals", () => {
  const rows = [
    { id: "small", size_bytes: 1e9, badge: badge("recommended") },
    { id: "best", size_bytes: 3e9, badge: badge("recommended") },
    { id: "as large", size_bytes: 3e9, badge: badge("recommended") },
    { id: "slow", size_bytes: 5e9, badge: badge("compatible") },
    { id: "huge", size_bytes: 50e9, badge: badge("not_recommended") },
    { id: "unknown", size_bytes: 9e9, badge: null },
  ];
  assert.equal(bestForThisComputer(rows)!.id, "best");
  assert.equal(bestForThisComputer(rows.slice(3)), null);
  assert.equal(bestForThisComputer([]), null);
});

import assert from "node:assert/strict";
import type { CageInfo } from "../src/api_types.ts";
import { AppError } from "../src/errors.ts";
import { CageKeeper } from "../src/host/cage_keeper.ts";
import type { FoundCage } from "../src/host/cage_probe.ts";
import type { Cage } from "../src/host/cage_view.ts";
import type { Runtime } from "../src/host/find_runtime.ts";

const BUBBLEWRAP: Cage = { kind: "bubblewrap", program: "/usr/bin/bwrap", filters: null };
const LANDLOCK: Cage = { kind: "landlock", program: "/usr/bin/setpriv", filters: null };
const RUNTIME = { path: "/opt/llama-server", version: "1", devices: [] } as unknown as Runtime;

Deno.test("CageKeeper looks once for each runtime, tells what it found, and never runs without where it must", async () => {
  const told: CageInfo[] = [];
  let probes = 0;
  let found: FoundCage = { cage: BUBBLEWRAP, reason: null };
  const keeper = (mode: CageInfo["mode"]) =>
    new CageKeeper({
      mode,
      probe: () => Promise.resolve((probes++, found)),
      onChange: (info) => told.push(info),
    });
  const auto = keeper("auto");
  assert.deepEqual(auto.info, { mode: "auto", active: null, reason: null });
  const all = await Promise.all([auto.for(RUNTIME), auto.for(RUNTIME), auto.for(RUNTIME)]);
  assert.deepEqual([all, probes, told.length], [[BUBBLEWRAP, BUBBLEWRAP, BUBBLEWRAP], 1, 1]);
  await auto.for({ ...RUNTIME, path: "/opt/other" });
  assert.equal(probes, 2);

  const off = keeper("off");
  assert.equal(await off.for(RUNTIME), null);
  assert.deepEqual([probes, off.info.reason], [2, "Switched off with --cage off"]);

  found = { cage: null, reason: "bubblewrap is not installed. Install it" };
  const without = keeper("auto");
  assert.equal(await without.for(RUNTIME), null);
  assert.equal(without.info.reason, found.reason);
  const must = keeper("require");
  const refused = (error: unknown) =>
    error instanceof AppError && error.code === "load_failed" &&
    error.message ===
      "Cannot load a model in a cage: bubblewrap is not installed. Install it";
  await assert.rejects(must.for(RUNTIME), refused);
  // Installed meanwhile.
  found = { cage: BUBBLEWRAP, reason: null };
  assert.equal(await must.for(RUNTIME), BUBBLEWRAP);
  assert.deepEqual(told.at(-1), { mode: "require", active: "bubblewrap", reason: null });
});

Deno.test("CageKeeper looks for a better one now and then, beside the load, and keeps what it has for a worse", async () => {
  const told: CageInfo[] = [];
  let found: FoundCage = { cage: null, reason: "bubblewrap is not installed" };
  let [nowMs, probes] = [0, 0];
  const keeper = new CageKeeper({
    mode: "auto",
    probe: () => Promise.resolve((probes++, found)),
    onChange: (info) => told.push(info),
    nowMs: () => nowMs,
  });
  const load = () => keeper.for(RUNTIME);
  assert.equal(await load(), null);
  found = { cage: LANDLOCK, reason: "weaker" };
  nowMs = 59_000;
  assert.deepEqual([await load(), probes], [null, 1]);
  nowMs = 61_000;
  assert.deepEqual([await load(), probes], [null, 2], "it does not wait");
  await keeper.settled();
  assert.equal(await load(), LANDLOCK);
  assert.deepEqual([probes, told.at(-1)!.active], [2, "landlock"]);
  found = { cage: null, reason: "the machine was busy" };
  nowMs = 200_000;
  assert.equal(await load(), LANDLOCK);
  await keeper.settled();
  assert.deepEqual([await load(), probes], [LANDLOCK, 3]);
  found = { cage: BUBBLEWRAP, reason: null };
  nowMs = 300_000;
  await load();
  await keeper.settled();
  assert.equal(await load(), BUBBLEWRAP);
  nowMs = 900_000;
  await load();
  assert.deepEqual([probes, told.length], [4, 3], "the best is not looked for again");
});

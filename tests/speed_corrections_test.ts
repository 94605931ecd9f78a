import assert from "node:assert/strict";
import fc from "fast-check";
import { SpeedCorrections } from "../src/orchestrator/speed_corrections.ts";

function throughJson(corrections: SpeedCorrections): SpeedCorrections {
  return new SpeedCorrections(JSON.parse(JSON.stringify(corrections.saved())));
}

Deno.test("SpeedCorrections.learn() comes near what a model reaches, and follows when it changes", () => {
  const corrections = new SpeedCorrections();
  assert.equal(corrections.factorOf("a"), 1);
  corrections.learn("a", 0.5);
  assert.equal(corrections.factorOf("a"), 0.5);
  for (const ratio of [0.6, 0.7, 0.65, 0.62, 0.66, 0.64]) corrections.learn("a", ratio);
  assert.ok(Math.abs(corrections.factorOf("a") - 0.64) < 0.05, `${corrections.factorOf("a")}`);
  for (let answer = 0; answer < 12; answer++) corrections.learn("a", 1.5);
  assert.ok(Math.abs(corrections.factorOf("a") - 1.5) < 0.1, `${corrections.factorOf("a")}`);
});

Deno.test("SpeedCorrections.learn() lets one bad answer weigh little", () => {
  const corrections = new SpeedCorrections();
  for (let answer = 0; answer < 10; answer++) corrections.learn("a", 1);
  corrections.learn("a", 0.5);
  assert.ok(corrections.factorOf("a") > 0.8);
});

Deno.test("SpeedCorrections.factorOf() is the computer's for a model that has not answered yet", () => {
  const corrections = new SpeedCorrections();
  for (const id of ["a", "b", "c", "d"]) corrections.learn(id, 0.7);
  assert.ok(Math.abs(corrections.factorOf("new") - 0.7) < 0.01);
  assert.equal(corrections.factorOf(null), corrections.factorOf("new"));
  corrections.learn("odd", 3);
  assert.equal(corrections.factorOf("odd"), 3);
  assert.ok(corrections.factorOf("new") < 1);
});

Deno.test("SpeedCorrections.learn() keeps to bounds, and takes nothing that is no speed", () => {
  const corrections = new SpeedCorrections();
  for (const ratio of [NaN, 0, -1]) corrections.learn("a", ratio);
  assert.equal(corrections.factorOf("a"), 1);
  corrections.learn("a", 1e9);
  assert.equal(corrections.factorOf("a"), 3);
  corrections.learn("b", 1e-9);
  assert.equal(corrections.factorOf("b"), 0.2);
});

Deno.test("SpeedCorrections comes back from what was saved, and bears anything else", () => {
  const corrections = new SpeedCorrections();
  corrections.learn("a", 0.5);
  corrections.learn("__proto__", 2);
  const again = throughJson(corrections);
  for (const id of ["a", "__proto__", "new"]) {
    assert.equal(again.factorOf(id), corrections.factorOf(id), id);
  }
  fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (machine, model) => {
    for (const saved of [machine, { machine, models: model }, { machine, models: { a: model } }]) {
      const factor = new SpeedCorrections(saved).factorOf("a");
      assert.ok(factor >= 0.2 && factor <= 3);
    }
  }));
});

Deno.test("SpeedCorrections keeps the models that answered last, not all that ever did", () => {
  const corrections = new SpeedCorrections();
  corrections.learn("first", 2);
  corrections.learn("second", 2);
  for (let model = 0; model < 198; model++) corrections.learn(`m${model}`, 0.5);
  corrections.learn("first", 2);
  corrections.learn("one more", 0.5);
  assert.equal(corrections.factorOf("first"), 2);
  assert.ok(corrections.factorOf("second") < 1);
});

import assert from "node:assert/strict";
import { CACHE_TYPES } from "../src/host/messages.ts";
import { LOG_LEVELS } from "../src/log.ts";
import { DEFAULT_MODEL_SETTINGS } from "../src/models/model_settings.ts";
import { SETTINGS } from "../src/settings.ts";
import { parseSize } from "../src/size.ts";
import {
  commandText,
  fromText,
  MODEL_GROUPS,
  PLACES,
  REACH,
  SAMPLING,
  SERVER_GROUPS,
  toText,
} from "../static/views/settings_fields.js";

Deno.test("The page has a field for each setting, and shows each that is locked", () => {
  const fields = SERVER_GROUPS.flatMap((group) => group.fields);
  const names = (locked: boolean) =>
    SETTINGS.filter((row) => row.locked === locked).map(({ name }) => name).sort();
  assert.deepEqual(fields.map(({ name }) => name).sort(), names(false));
  assert.deepEqual([...REACH, ...PLACES].sort(), names(true));
  const own = MODEL_GROUPS.flatMap((group) => group.fields).map(({ name }) => name);
  const kept = Object.keys(DEFAULT_MODEL_SETTINGS).filter((name) => name !== "sampling");
  assert.deepEqual(own.filter((name) => !SAMPLING.has(name)).sort(), kept.sort());
});

Deno.test("The page offers the cache types and log levels that there are", () => {
  const choices = (name: string) =>
    [...SERVER_GROUPS, ...MODEL_GROUPS].flatMap((group) => group.fields)
      .find((field) => field.name === name)?.choices;
  assert.deepEqual(choices("cache_type_k"), [...CACHE_TYPES]);
  assert.deepEqual(choices("cache_type_v"), [...CACHE_TYPES]);
  assert.deepEqual(choices("log_level"), [...LOG_LEVELS]);
});

Deno.test("fromText() reads back what toText() wrote", () => {
  for (
    const [kind, value, text] of [
      ["whole", 8, "8"],
      ["decimal", 0.7, "0.7"],
      ["size", 4 * 1024 ** 3, "4 GiB"],
      ["size", 512e6, "512 MB"],
      ["size", 1_000_001, "1000001"],
      ["size", 0, "0"],
      ["duration", "1h30m", "1h30m"],
      ["duration", -1, "-1"],
      ["names", ["a b", "c"], "a b, c"],
      ["paths", ["/a b.gguf", "/c.gguf"], "/a b.gguf\n/c.gguf"],
      ["arguments", ["-fa", "on"], "-fa on"],
      ["text", "  two\nlines ", "  two\nlines "],
      ["line", "draft.gguf", "draft.gguf"],
      ["choice", "q8_0", "q8_0"],
    ] as const
  ) {
    assert.equal(toText(kind, value), text);
    const read = fromText(kind, text);
    const plain = kind === "size" ? parseSize(read as string) : read;
    assert.deepEqual(
      kind === "duration" ? String(plain) : plain,
      kind === "duration" ? text : value,
    );
  }
});

Deno.test("fromText() takes Bengali digits, nothing for nothing, and leaves what is wrong to the server", () => {
  assert.equal(fromText("whole", " ১২ "), 12);
  assert.equal(fromText("decimal", "০.৫"), 0.5);
  assert.equal(fromText("size", "৪ GiB"), "4 GiB");
  assert.equal(fromText("whole", "many"), "many");
  assert.equal(fromText("whole", "1e3"), "1e3");
  for (const kind of ["whole", "size", "duration", "line", "text", "choice"] as const) {
    assert.equal(fromText(kind, "  "), null);
  }
  for (const kind of ["names", "paths", "arguments"] as const) {
    assert.deepEqual(fromText(kind, " "), []);
  }
});

Deno.test("commandText() is a command for a terminal: a flag a line, words in quotes where they need it", () => {
  const command = [
    "/opt/llama server",
    "-m",
    "/a/it's.gguf",
    "--seed",
    "-1",
    "--mlock",
    "-c",
    "512",
  ];
  assert.equal(
    commandText(command),
    "'/opt/llama server' \\\n  -m '/a/it'\\''s.gguf' \\\n  --seed -1 \\\n  --mlock \\\n  -c 512",
  );
});

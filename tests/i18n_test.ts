// The page's words: both languages say the same, every code of the server has its sentence, and no
// words stand outside.

import { deepEqual, equal, ok } from "node:assert/strict";

const ROOT = new URL("../", import.meta.url);
type Text = string | { one: string; other: string };

function textsOf(language: "en" | "bn"): Map<string, { text: Text; file: string }> {
  const texts = new Map<string, { text: Text; file: string }>();
  for (const { name } of Deno.readDirSync(new URL(`static/i18n/${language}`, ROOT))) {
    const content: Record<string, Text> = JSON.parse(read(`static/i18n/${language}/${name}`));
    for (const [key, text] of Object.entries(content)) {
      ok(!texts.has(key), `${key} is in ${name} and in ${texts.get(key)?.file}`);
      texts.set(key, { text, file: name });
    }
  }
  return texts;
}

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

const EN = textsOf("en");
const BN = textsOf("bn");

function formsOf(text: Text): string[] {
  return typeof text === "string" ? [text] : [text.one, text.other];
}

function placeholdersOf(text: Text): string[] {
  const found = formsOf(text).flatMap((form) => form.match(/\{\w+\}/g) ?? []);
  return [...new Set(found)].toSorted();
}

Deno.test("both languages have the same words, with the same places for values", () => {
  deepEqual([...EN.keys()].filter((key) => !BN.has(key)), [], "without Bengali");
  deepEqual([...BN.keys()].filter((key) => !EN.has(key)), [], "without English");
  for (const [key, { text, file }] of EN) {
    const bengali = BN.get(key)!;
    equal(bengali.file, file, key);
    deepEqual(placeholdersOf(bengali.text), placeholdersOf(text), key);
    equal(typeof bengali.text, typeof text, key);
    for (const form of [...formsOf(text), ...formsOf(bengali.text)]) {
      ok(typeof form === "string" && form.trim() !== "", key);
      equal(form, form.normalize("NFC"), key);
    }
  }
});

/** What is called the same everywhere. */
const SAME =
  /^(?:[\d\s\p{P}\p{S}]|\{\w+\}|[A-Z]\w*|llama\.cpp|llama-server|min|max|[a-z]+_[a-z_]+)*$/u;

Deno.test("Bengali is Bengali", () => {
  for (const [key, { text }] of BN) {
    for (const form of formsOf(text)) {
      const isWritten = /\p{Script=Bengali}/u.test(form) || SAME.test(form);
      ok(isWritten, `${key}: ${form}`);
      // Its full stop is another sign; numbers and file names have the Latin one.
      ok(!/\p{Script=Bengali}\.(?:\s|$)/u.test(form), `${key} ends with a Latin full stop`);
    }
  }
});

Deno.test("every code of an error has its sentence", () => {
  const [, table] = /const STATUS_OF = \{([^]*?)\} as const/.exec(read("src/errors.ts"))!;
  const codes = [...table!.matchAll(/^ {2}(\w+): \d+,/gm)].map(([, code]) => code!);
  ok(codes.length > 45, String(codes.length));
  deepEqual(codes.filter((code) => !EN.has(`error.${code}`)), []);
  const known = new Set([...codes, "unreachable", "unexpected_answer", "other"]);
  const extra = [...EN.keys()].filter((key) => /^error\.\w+/.test(key))
    .filter((key) => !known.has(key.split(".")[1]!));
  deepEqual(extra, []);
});

Deno.test("every reason of a failed load has its sentence", () => {
  const source = read("src/runtime/llama_failure.ts");
  const [, union] = /type LlamaFailureReason =([^;]*);/.exec(source)!;
  const reasons = [...union!.matchAll(/"(\w+)"/g)].map(([, reason]) => reason!);
  ok(reasons.length > 15);
  const told = (reason: string) =>
    reason === "out_of_memory" ||
    ["load_failed", "model_file_invalid", "out_of_memory"].some((code) =>
      EN.has(`error.${code}.${reason}`)
    );
  deepEqual(reasons.filter((reason) => !told(reason)), []);
});

Deno.test("every badge, state and reason of a badge has its words", () => {
  const types = read("src/api_types.ts");
  const wordsOf = (name: string) => {
    const [, union] = new RegExp(`export type ${name} =([^;]*);`).exec(types)!;
    return [...union!.replace(/\/\*[^]*?\*\//g, "").matchAll(/"(\w+)"/g)].map(([, word]) => word!);
  };
  const missing = [
    ...wordsOf("BadgeLevel").map((word) => `badge.${word}`),
    ...wordsOf("BadgeCode").map((word) => `badge.reason.${word}`),
    ...wordsOf("ModelState").map((word) => `state.${word}`),
  ].filter((key) => !EN.has(key));
  deepEqual(missing, []);
});

function sources(folder = "static"): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return path === "static/docs" ? [] : sources(path);
    return name.endsWith(".js") ? [path] : [];
  });
}

Deno.test("every key that the page names is there, and every key that is there is named", () => {
  const all = sources().map((path) => ({ path, code: withoutComments(read(path)) }));
  const missing: string[] = [];
  for (const { path, code } of all) {
    for (const [, key] of code.matchAll(/\btx?\(\s*"([^"]+)"/g)) {
      if (!EN.has(key!)) missing.push(`${path}: ${key}`);
    }
  }
  deepEqual(missing, []);
  const together = all.map(({ code }) => code).join("\n");
  // Keys that are put together: `state.${state}`.
  const starts = [...together.matchAll(/`([a-z_]+(?:\.[\w.]*)?)\$\{/g)].map(([, start]) => start!)
    .filter((start) => start.includes("."));
  const unnamed = [...EN.keys()].filter((key) =>
    !together.includes(`"${key}"`) && !starts.some((start) => key.startsWith(start))
  );
  deepEqual(unnamed, []);
});

function withoutComments(code: string): string {
  return code.replace(/\/\*[^]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

Deno.test("no words stand in the page's code", () => {
  const found: string[] = [];
  for (const path of sources()) {
    const code = withoutComments(read(path));
    // But for the name of the language, and digits that people type.
    if (/\p{Script=Bengali}/u.test(code.replaceAll("বাংলা", "").replace("০-৯", ""))) {
      found.push(`${path}: Bengali`);
    }
    for (const [, template] of code.matchAll(/html`([^`]*)/g)) {
      // Text between tags, and attributes that are read to people.
      const plain = template!.replace(/\$\{[^}]*\}/g, "");
      for (const [, text] of plain.matchAll(/>([^<>]*)</g)) {
        // Names in capitals are nobody's language.
        const words = text!.replace(/\b[A-Z_]+\b|বাংলা/g, "");
        if (/\p{L}{2,}/u.test(words) && !/[=$(){};]/.test(text!)) {
          found.push(`${path}: ${text!.trim()}`);
        }
      }
      for (
        const [, text] of plain.matchAll(/\b(?:aria-label|title|placeholder|alt|label)="([^"]+)"/g)
      ) {
        found.push(`${path}: ${text}`);
      }
    }
  }
  deepEqual(found, []);
});

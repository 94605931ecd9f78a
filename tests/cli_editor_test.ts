import assert from "node:assert/strict";
import fc from "fast-check";
import { type Key, KeyDecoder } from "../src/cli/keys_pressed.ts";
import { LineEditor } from "../src/cli/line_editor.ts";
import { layOut } from "../src/cli/prompt_view.ts";
import { textWidth } from "../src/cli/text_width.ts";

const encoder = new TextEncoder();

function keysOf(...pieces: (string | Uint8Array)[]): Key[] {
  const decoder = new KeyDecoder();
  return pieces.flatMap((piece) =>
    decoder.keysOf(typeof piece === "string" ? encoder.encode(piece) : piece)
  );
}

Deno.test("KeyDecoder.keysOf() understands what terminals send", () => {
  const table: [bytes: string, keys: (string | [string, string])[]][] = [
    ["a", [["text", "a"]]],
    ["বাংলা\t漢", [["text", "বাংলা\t漢"]]],
    ["a\rb", [["text", "a"], "enter", ["text", "b"]]],
    ["\n", ["newline"]],
    ["\x1b\r", ["newline"]],
    ["\x7f\x08", ["backspace", "backspace"]],
    ["\x1b[A\x1bOB\x1b[C\x1b[D", ["up", "down", "right", "left"]],
    ["\x1b[H\x1bOF\x1b[1~\x1b[4~", ["home", "end", "home", "end"]],
    ["\x1b[3~", ["delete"]],
    ["\x1b[1;5D\x1bf", ["wordLeft", "wordRight"]],
    ["\x01\x05\x0b\x15\x17", ["home", "end", "eraseRest", "eraseLine", "eraseWord"]],
    ["\x03\x04\x0c", ["interrupt", "endOfInput", "clearScreen"]],
    ["\x1b[200~one\r\ntwo\x1b[A\x1b[201~x", [["paste", "one\ntwo\x1b[A"], ["text", "x"]]],
    ["\x1b[99;99u\x1b[?1;2cz", ["unknown", "unknown", ["text", "z"]]],
    ["\x00\x1e", ["unknown", "unknown"]],
  ];
  for (const [bytes, keys] of table) {
    const wanted = keys.map((key) =>
      typeof key === "string" ? { name: key } : { name: key[0], text: key[1] }
    );
    assert.deepEqual(keysOf(bytes), wanted, JSON.stringify(bytes));
  }
});

Deno.test("KeyDecoder.keysOf() gives the same text and keys however the bytes are cut", () => {
  const parts = ["a", "ক্ষ", "👍🏽", "\x1b[A", "\x1b[1;5D", "\r", "\x1b[200~p\nq\x1b[201~", "\x7f"];
  fc.assert(fc.property(
    fc.array(fc.constantFrom(...parts), { maxLength: 8 }),
    fc.array(fc.nat(40)),
    (sent, cuts) => {
      const bytes = encoder.encode(sent.join(""));
      const places = [
        0,
        ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b),
        bytes.length,
      ];
      const pieces = places.slice(1).map((end, index) => bytes.subarray(places[index]!, end));
      // Text may come in several keys.
      const joined = (keys: Key[]) =>
        keys.map((key) => "text" in key ? key.text : `<${key.name}>`).join("");
      assert.equal(joined(keysOf(...pieces)), joined(keysOf(bytes)));
    },
  ));
});

function edited(...keys: (string | Key["name"])[]) {
  const editor = new LineEditor();
  for (const key of keys) press(editor, key);
  return editor;
}

/** `=text` is typed, everything else is a key. */
function press(editor: LineEditor, key: string) {
  return editor.press(
    key.startsWith("=") ? { name: "text", text: key.slice(1) } : { name: key } as Key,
  );
}

Deno.test("LineEditor.press() edits by whole signs", () => {
  const table: [keys: string[], text: string, cursor: number][] = [
    [["=abc", "left", "=X"], "abXc", 3],
    [["=abc", "home", "delete"], "bc", 0],
    [["=abc", "backspace", "backspace"], "a", 1],
    [["=ক্ষবা", "backspace"], "ক্ষ", 3],
    [["=👍🏽👩‍👩‍👧", "backspace", "left", "delete"], "", 0],
    [["=one two  three", "eraseWord"], "one two  ", 9],
    [["=one two", "wordLeft", "wordLeft", "=X"], "Xone two", 1],
    [["=one two", "home", "wordRight", "=X"], "oneX two", 4],
    [["=one two", "wordLeft", "eraseRest"], "one ", 4],
    [["=one two", "wordLeft", "eraseLine"], "two", 0],
    [["=a", "newline", "=b"], "a\nb", 3],
    [["=ab", "left", "endOfInput"], "a", 1],
    [["=a\x1b[31mb"], "a[31mb", 6],
    [["left", "backspace", "right", "unknown"], "", 0],
  ];
  for (const [keys, text, cursor] of table) {
    const editor = edited(...keys);
    assert.deepEqual([editor.text, editor.cursor], [text, cursor], keys.join(" "));
  }
});

Deno.test("LineEditor.press() recalls earlier lines and comes back to what was begun", () => {
  const editor = new LineEditor();
  for (const line of ["first", "second", "second", "  "]) {
    press(editor, `=${line}`);
    assert.equal(editor.take(), line);
  }
  press(editor, "=begun");
  const seen = ["up", "up", "up", "down", "down", "down"].map((key) => {
    press(editor, key);
    return editor.text;
  });
  assert.deepEqual(seen, ["second", "first", "first", "second", "begun", "begun"]);
});

Deno.test("LineEditor.press() says what it did", () => {
  const table: [keys: string[], did: string][] = [
    [["=a"], "changed"],
    [["enter"], "line"],
    [["interrupt"], "interrupt"],
    [["endOfInput"], "end"],
    [["=a", "endOfInput"], "nothing"],
    [["clearScreen"], "clear"],
    [["left"], "nothing"],
    [["up"], "nothing"],
  ];
  for (const [keys, did] of table) {
    const editor = edited(...keys.slice(0, -1));
    assert.equal(press(editor, keys.at(-1)!), did, keys.join(" "));
  }
});

Deno.test("layOut() breaks rows before the terminal would, and knows where the cursor stands", () => {
  const table: [text: string, cursor: number, columns: number, rows: string[], at: number[]][] = [
    ["", 0, 20, [">>> "], [0, 4]],
    ["abc", 1, 20, [">>> abc"], [0, 5]],
    ["abcdefgh", 8, 10, [">>> abcde", "fgh"], [1, 3]],
    ["abcdefgh", 5, 10, [">>> abcde", "fgh"], [1, 0]],
    ["abcdefgh", 4, 10, [">>> abcde", "fgh"], [0, 8]],
    ["a\nb", 3, 20, [">>> a", "... b"], [1, 5]],
    ["a\nb", 1, 20, [">>> a", "... b"], [0, 5]],
    ["漢字漢字", 4, 10, [">>> 漢字", "漢字"], [1, 4]],
    ["a\tb", 2, 20, [">>> a    b"], [0, 9]],
  ];
  for (const [text, cursor, columns, rows, at] of table) {
    const layout = layOut({ text, cursor }, columns);
    assert.deepEqual(layout.rows, rows, text);
    assert.deepEqual([layout.row, layout.column], at, `${text} ${cursor}`);
  }
});

Deno.test("layOut() keeps every row narrower than the terminal and the cursor within", () => {
  const signs = fc.string({ unit: fc.constantFrom("a", "বা", "漢", "\n", "\t", "👍", " ") });
  fc.assert(
    fc.property(signs, fc.nat(40), fc.integer({ min: 10, max: 60 }), (text, at, columns) => {
      const { rows, row, column } = layOut({ text, cursor: Math.min(at, text.length) }, columns);
      for (const each of rows) assert.ok(textWidth(each) < columns, each);
      assert.ok(row < rows.length && column <= textWidth(rows[row]!));
    }),
  );
});

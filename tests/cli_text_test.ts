import assert from "node:assert/strict";
import fc from "fast-check";
import type { DownloadRow } from "../src/api_types.ts";
import { countText, sizeText, timeText } from "../src/cli/amounts.ts";
import { painter } from "../src/cli/paint.ts";
import { jsonText, plainLine, plainText } from "../src/cli/plain_text.ts";
import { bar, progressLine, progressText } from "../src/cli/progress_bar.ts";
import { formatTable } from "../src/cli/table.ts";
import { cutToWidth, padToWidth, textWidth } from "../src/cli/text_width.ts";
import { startTerminal } from "./support/terminal.ts";

// deno-lint-ignore no-control-regex
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;
const plain = painter(false);

/** Mostly what is not to be left. */
const signs = fc.oneof(fc.nat(0xff), fc.integer({ min: 0x2000, max: 0x2070 }), fc.nat(0xffff))
  .map((code) => String.fromCharCode(code));

Deno.test("plainText() and plainLine() leave nothing that a terminal obeys", () => {
  fc.assert(
    fc.property(fc.string({ unit: signs }), (text) => {
      assert.doesNotMatch(plainText(text), OBEYED);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(plainLine(text), /[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
      assert.deepEqual(JSON.parse(jsonText({ text })), JSON.parse(JSON.stringify({ text })));
      assert.doesNotMatch(jsonText({ text }), OBEYED);
    }),
  );
  assert.equal(plainText("a\x1b[31mb\r\n\tc\x9b0m"), "a[31mb\n\tc0m");
  assert.equal(plainLine("a\nb\u202egnp.exe"), "a bgnp.exe");
});

/** Widths that terminals agree on. */
const WIDTHS: readonly [text: string, width: number][] = [
  ["plain", 5],
  ["", 0],
  ["é", 1],
  ["e\u0301", 1],
  ["কা", 2],
  ["কি", 2],
  ["ক্ষ", 2],
  ["বাংলা", 5],
  ["मॉडल", 4],
  ["ไทย", 3],
  ["漢字", 4],
  ["한국", 4],
  ["ｆｕｌｌ", 8],
  ["🇧🇩", 2],
  ["👍", 2],
  ["…█░", 3],
];

Deno.test("textWidth() counts columns as a real terminal does", async () => {
  await using terminal = await startTerminal({ columns: 60 });
  for (const [text, width] of WIDTHS) {
    assert.equal(textWidth(text), width, text);
    await terminal.press("C-l");
    // A row before it: where there is no text, only that tells that the shell has come so far.
    await terminal.enter(`printf 'here\\n%s' '${text}'; read -r; clear`);
    await terminal.see(new RegExp(`\nhere\n${text}`));
    assert.equal(await terminal.cursor(), width, text);
    await terminal.press("Enter");
    await terminal.see(/^\$\s*$/);
  }
});

Deno.test("cutToWidth() and padToWidth() keep to the width, and never cut a letter", () => {
  assert.equal(cutToWidth("abcdef", 4), "abc…");
  assert.equal(cutToWidth("abcd", 4), "abcd");
  assert.equal(cutToWidth("漢字漢字", 6), "漢字…");
  assert.equal(cutToWidth("বাংলাদেশ", 4), "বাং…");
  assert.equal(cutToWidth("abc", 0), "");
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), fc.nat(30), (text, columns) => {
    const cut = cutToWidth(text, columns);
    assert.ok(textWidth(cut) <= columns);
    assert.ok(cut === text || cut === "" || text.startsWith(cut.slice(0, -1)));
    assert.equal(textWidth(padToWidth(cut, columns, "left")), columns);
  }));
});

Deno.test("formatTable() aligns, shrinks to the terminal and makes names harmless", () => {
  const columns = [
    { title: "NAME", shrinks: true },
    { title: "SIZE", align: "right" as const },
    { title: "STATE" },
  ];
  const rows = [
    ["a-very-long-name-of-a-model", "1 GB", "ready"],
    ["বাংলা", "12 MB", { text: "failed", paint: "red" as const }],
    ["\x1b]0;title\x07漢字", "1 B", ""],
  ];
  assert.equal(
    formatTable(columns, { rows, width: null, paint: plain }),
    `NAME                          SIZE  STATE
a-very-long-name-of-a-model   1 GB  ready
বাংলা                        12 MB  failed
]0;title漢字                   1 B
`,
  );
  for (const width of [40, 30, 24]) {
    const lines = formatTable(columns, { rows, width, paint: plain }).trimEnd().split("\n");
    for (const line of lines) assert.ok(textWidth(line) <= width, line);
  }
  const coloured = formatTable(columns, { rows, width: null, paint: painter(true) });
  assert.ok(coloured.includes("12 MB  \x1b[31mfailed\x1b[0m\n"));
  assert.equal(
    // deno-lint-ignore no-control-regex
    coloured.replace(/\x1b\[\d+m/g, ""),
    formatTable(columns, { rows, width: null, paint: plain }),
  );
});

Deno.test("sizeText(), timeText() and countText() round to what is read", () => {
  const sizes: [number | null, string][] = [
    [null, "?"],
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1 kB"],
    [251_936, "252 kB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [2_390_000_000, "2.4 GB"],
    [99_960_000, "100 MB"],
    [40e9, "40.0 GB"],
    [123e9, "123 GB"],
    [2e15, "2000 TB"],
  ];
  for (const [size, text] of sizes) assert.equal(sizeText(size), text);
  const times: [number, string][] = [
    [0, "0 s"],
    [59.4, "59 s"],
    [59.6, "1 min"],
    [125, "2 min 5 s"],
    [3_600, "1 h"],
    [12_000, "3 h 20 min"],
    [200_000, "2 days"],
    [-5, "0 s"],
  ];
  for (const [seconds, text] of times) assert.equal(timeText(seconds), text);
  const counts: [number | null, string][] = [
    [null, "?"],
    [3_800_000_000, "3.8B"],
    [70e9, "70B"],
    [494e6, "494M"],
    [1_234, "1.2k"],
    [7, "7"],
  ];
  for (const [count, text] of counts) assert.equal(countText(count), text);
});

function download(fields: Partial<DownloadRow>): DownloadRow {
  return {
    id: "0123456789abcdef",
    repo: "org/repo",
    revision: "main",
    commit: null,
    file: "some-model-Q4_K_M.gguf",
    model: "some-model-Q4_K_M",
    state: "downloading",
    position: 0,
    bytes_total: 2_000_000_000,
    bytes_done: 500_000_000,
    bytes_per_second: 12_300_000,
    seconds_left: 122,
    files: [],
    error: null,
    retry_at: null,
    created_at: "2026-01-01T00:00:00.000Z",
    ...fields,
  };
}

Deno.test("progressLine() shows bytes, speed and time left in every width", () => {
  const line = progressLine(download({}), 100);
  assert.match(
    line,
    /^some-model-Q4_K_M {2}█+[▏▎▍▌▋▊▉]?░+ {3}25 % {2}500 MB of 2\.0 GB {2}12\.3 MB\/s {2}2 min 2 s left$/,
  );
  for (let columns = 1; columns <= 120; columns++) {
    for (
      const row of [download({}), download({ model: "বাংলা মডেল" }), download({ bytes_total: null })]
    ) {
      assert.ok(textWidth(progressLine(row, columns)) <= columns, `${columns}`);
    }
  }
  const waiting = download({
    state: "waiting",
    error: { message: "The Hub is busy", code: "hub_rate_limited", values: {} },
  });
  assert.match(progressLine(waiting, 100), /waits: The Hub is busy$/);
  assert.match(
    progressLine(download({ state: "queued", position: 2 }), 100),
    /waits for 2 others$/,
  );
  assert.match(progressLine(download({ state: "verifying" }), 100), /checking$/);
  assert.match(progressLine(download({ bytes_total: null }), 100), /asking the Hub$/);
  assert.equal(progressText(download({})), "some-model-Q4_K_M: 500 MB of 2.0 GB, downloading");
});

Deno.test("bar() is as wide as asked for and never full before the end", () => {
  fc.assert(
    fc.property(fc.double({ min: -1, max: 2, noNaN: true }), fc.nat(60), (fraction, columns) => {
      assert.equal(textWidth(bar(fraction, columns)), columns);
      if (fraction < 1) assert.notEqual(bar(fraction, columns + 1), "█".repeat(columns + 1));
    }),
  );
});

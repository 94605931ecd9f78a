import assert from "node:assert/strict";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type ArchiveLimits, unpackArchive } from "../src/host/archive.ts";
import { AppError } from "../src/errors.ts";
import { tar, type TarEntry, tarGz, zip, type ZipEntry } from "./support/archive_writer.ts";

/** Unpacks in a folder of its own; the tree is everything that is there afterwards, outside too. */
async function unpack(
  bytes: Uint8Array,
  kind: "tar.gz" | "zip",
  limits: Partial<ArchiveLimits> = {},
): Promise<{ error: unknown; tree: Record<string, string> }> {
  const top = await Deno.makeTempDir();
  try {
    const folder = join(top, "a", "b", "into");
    await Deno.mkdir(folder, { recursive: true });
    const path = join(top, `archive.${kind}`);
    await Deno.writeFile(path, bytes);
    let error: unknown = null;
    await unpackArchive(path, folder, { limits }).catch((thrown) => error = thrown);
    await Deno.remove(path);
    const tree: Record<string, string> = {};
    await readTree(top, "", tree);
    return { error, tree };
  } finally {
    await Deno.remove(top, { recursive: true });
  }
}

async function readTree(folder: string, prefix: string, tree: Record<string, string>) {
  for await (const entry of Deno.readDir(folder)) {
    const name = prefix + entry.name;
    const path = join(folder, entry.name);
    const { mode, isSymlink, isDirectory } = await Deno.lstat(path);
    if (isSymlink) tree[name] = "link";
    else if (isDirectory) await readTree(path, `${name}/`, tree);
    else tree[name] = `${(mode! & 0o777).toString(8)} ${await Deno.readTextFile(path)}`;
  }
}

function assertRefused(error: unknown, reason: RegExp): void {
  assert.ok(error instanceof AppError, `not refused: ${error}`);
  assert.equal(error.code, "download_failed");
  assert.match(error.message, reason);
}

const LONG = "libggml-cpu-" + "x".repeat(100) + ".so";

Deno.test("unpackArchive() unpacks a tar as llama.cpp makes it, links as copies", async () => {
  const { error, tree } = await unpack(
    tarGz([
      { name: "./", type: "5" },
      { name: "llama-b1/", type: "5" },
      { name: "llama-b1/libllama.so", type: "2", target: "libllama.so.0" },
      { name: "llama-b1/libllama.so.0", type: "2", target: "libllama.so.0.7.0" },
      { name: "llama-b1/libllama.so.0.7.0", content: "library" },
      { name: "llama-b1/llama-server", content: "program", mode: 0o755 },
      { name: "short", pax: { path: `llama-b1/${LONG}` }, content: "pax name" },
      { name: "short", gnuName: `llama-b1/g${LONG}`, content: "gnu name" },
      { name: "llama-b1/empty", content: "" },
    ]),
    "tar.gz",
  );
  assert.equal(error, null);
  assert.deepEqual(tree, {
    "a/b/into/llama-b1/libllama.so": "644 library",
    "a/b/into/llama-b1/libllama.so.0": "644 library",
    "a/b/into/llama-b1/libllama.so.0.7.0": "644 library",
    "a/b/into/llama-b1/llama-server": "755 program",
    [`a/b/into/llama-b1/${LONG}`]: "644 pax name",
    [`a/b/into/llama-b1/g${LONG}`]: "644 gnu name",
    "a/b/into/llama-b1/empty": "644 ",
  });
});

Deno.test("unpackArchive() unpacks what the system's own tar writes", async () => {
  const top = await Deno.makeTempDir();
  try {
    const content = crypto.getRandomValues(new Uint8Array(50_000)).toHex();
    await Deno.mkdir(join(top, "from", "llama-b2"), { recursive: true });
    await Deno.mkdir(join(top, "into"));
    await Deno.writeTextFile(join(top, "from", "llama-b2", "llama-server"), content, {
      mode: 0o755,
    });
    await Deno.symlink("llama-server", join(top, "from", "llama-b2", "llama"));
    const path = join(top, "made.tar.gz");
    const args = ["-czf", path, "-C", join(top, "from"), "."];
    const { code } = await new Deno.Command("tar", { args, env: { COPYFILE_DISABLE: "1" } })
      .output();
    assert.equal(code, 0);
    await unpackArchive(path, join(top, "into"));
    assert.equal(await Deno.readTextFile(join(top, "into", "llama-b2", "llama")), content);
    assert.equal((await Deno.lstat(join(top, "into", "llama-b2", "llama"))).isSymlink, false);
  } finally {
    await Deno.remove(top, { recursive: true });
  }
});

Deno.test("unpackArchive() unpacks a zip, stored and deflated", async () => {
  const { error, tree } = await unpack(
    zip([
      { name: "llama-server.exe", content: "program".repeat(1000), unixMode: 0 },
      { name: "ggml.dll", content: "library", method: 0 },
      { name: "licenses/", unixMode: 0o040755 },
      { name: "licenses/LICENSE", content: "text" },
    ]),
    "zip",
  );
  assert.equal(error, null);
  assert.deepEqual(tree, {
    "a/b/into/llama-server.exe": `644 ${"program".repeat(1000)}`,
    "a/b/into/ggml.dll": "644 library",
    "a/b/into/licenses/LICENSE": "644 text",
  });
});

const HOSTILE_NAMES = [
  "../evil",
  "../../evil",
  "a/../../evil",
  "a/..",
  "/etc/evil",
  "//evil",
  "C:\\evil",
  "C:evil",
  "\\\\host\\share\\evil",
  "..\\evil",
  "a\\evil",
  "a/./evil",
  "a//evil",
  ".hidden",
  "-rf",
  "evil ",
  "evil.",
  "CON",
  "nul.txt",
  "com1",
  "a:stream",
  "evil\n",
  "evil\u202e",
  "e\u0301vil",
  "",
  "x".repeat(122),
  "1/2/3/4/5",
];

for (const name of HOSTILE_NAMES) {
  const shown = JSON.stringify(name.slice(0, 30));
  Deno.test(`unpackArchive() refuses the entry name ${shown} in a tar and in a zip`, async () => {
    const content = "evil";
    for (
      const [bytes, kind] of [
        [tarGz([{ name: "short", pax: { path: name }, content }]), "tar.gz"],
        [tarGz([{ name: "short", gnuName: name, content }]), "tar.gz"],
        [zip([{ name, content }]), "zip"],
      ] as const
    ) {
      const { error, tree } = await unpack(bytes, kind);
      assertRefused(error, /name that is not allowed/);
      assert.deepEqual(tree, {});
    }
  });
}

const HOSTILE_TARS: Record<string, [TarEntry[], RegExp]> = {
  "a link out of the folder": [
    [{ name: "a", type: "2", target: "../../../etc/passwd" }],
    /link "a" leads out of its folder/,
  ],
  "an absolute link": [
    [{ name: "a", type: "2", target: "/etc/passwd" }],
    /link "a" leads out of its folder/,
  ],
  "a link to a folder, then a file through it": [
    [{ name: "a", type: "2", target: "b" }, { name: "b/", type: "5" }, {
      name: "a/c",
      content: "x",
    }],
    /"a" is in it twice/,
  ],
  "a link to nothing": [[{ name: "a", type: "2", target: "b" }], /no file of the archive/],
  "links in a circle": [
    [{ name: "a", type: "2", target: "b" }, { name: "b", type: "2", target: "a" }],
    /in a circle/,
  ],
  "a hard link": [[{ name: "a", type: "1", target: "b" }], /neither a file nor/],
  "a character device": [[{ name: "a", type: "3" }], /neither a file nor/],
  "a block device": [[{ name: "a", type: "4" }], /neither a file nor/],
  "a named pipe": [[{ name: "a", type: "6" }], /neither a file nor/],
  "a sparse file": [[{ name: "a", type: "S" }], /neither a file nor/],
  "a name twice": [[{ name: "a", content: "1" }, { name: "a", content: "2" }], /is in it twice/],
  "names that differ by case": [[{ name: "Aa" }, { name: "aA" }], /is in it twice/],
  "a file that is a folder too": [[{ name: "a" }, { name: "a/b" }], /is in it twice/],
  "folders that differ by case": [[{ name: "D/a" }, { name: "d/b" }], /is in it twice/],
  "a folder with content": [[{ name: "a/", type: "5", content: "x" }], /has content/],
  "a long name without end": [
    [{ name: "a", gnuName: "x".repeat(70_000) }],
    /name in it is too long/,
  ],
  "a size of NaN": [[{ name: "a", pax: { size: "many" } }], /size in it is wrong/],
};

for (const [what, [entries, reason]] of Object.entries(HOSTILE_TARS)) {
  Deno.test(`unpackArchive() refuses a tar with ${what}`, async () => {
    const { error, tree } = await unpack(tarGz(entries), "tar.gz");
    assertRefused(error, reason);
    assert.ok(
      Object.keys(tree).every((name) => name.startsWith("a/b/into/")),
      `${Object.keys(tree)}`,
    );
    assert.ok(!Object.values(tree).includes("link"));
  });
}

const HOSTILE_ZIPS: Record<string, [ZipEntry[], RegExp]> = {
  "a symbolic link": [
    [{ name: "a", content: "/etc/passwd", unixMode: 0o120777 }],
    /neither a file nor a folder/,
  ],
  "a device": [[{ name: "a", unixMode: 0o020666 }], /neither a file nor a folder/],
  "an encrypted entry": [[{ name: "a", content: "x", flags: 1 }], /is encrypted/],
  "a method that nobody knows": [[{ name: "a", content: "x", method: 12 }], /method 12/],
  "a wrong checksum": [[{ name: "a", content: "xyz", crc: 1 }], /is damaged/],
  "less data than it says": [[{ name: "a", content: "xyz", sizeBytes: 9 }], /not as long/],
  "more data than it says": [[{ name: "a", content: "xyz", sizeBytes: 2 }], /not as long/],
  "one name outside and another inside": [
    [{ name: "a", localName: "b", content: "x" }],
    /has two names/,
  ],
  "entries that overlap": [
    [{ name: "a", content: "x" }, { name: "a", content: "x", dataOf: 0 }],
    /is damaged/,
  ],
  "a name twice": [[{ name: "a" }, { name: "a" }], /is in it twice/],
};

for (const [what, [entries, reason]] of Object.entries(HOSTILE_ZIPS)) {
  Deno.test(`unpackArchive() refuses a zip with ${what}`, async () => {
    const { error, tree } = await unpack(zip(entries), "zip");
    assertRefused(error, reason);
    assert.ok(
      Object.keys(tree).every((name) => name.startsWith("a/b/into/")),
      `${Object.keys(tree)}`,
    );
  });
}

Deno.test("unpackArchive() stops at its limits before it writes beyond them", async () => {
  const bomb = tarGz([{ name: "zeros", content: new Uint8Array(32 * 1024 * 1024) }]);
  const ratio = await unpack(bomb, "tar.gz");
  assertRefused(ratio.error, /unpacks to more than/);
  assert.deepEqual(ratio.tree, {});

  const zipBomb = zip([{ name: "zeros", content: new Uint8Array(32 * 1024 * 1024) }]);
  assertRefused((await unpack(zipBomb, "zip")).error, /unpacks to more than/);

  const many = tarGz(Array.from({ length: 11 }, (_, index) => ({ name: `file${index}` })));
  assertRefused((await unpack(many, "tar.gz", { entries: 10 })).error, /more than 10 entries/);

  const large = tarGz([{ name: "a", content: crypto.getRandomValues(new Uint8Array(5000)) }]);
  assertRefused((await unpack(large, "tar.gz", { sizeBytes: 4999 })).error, /more than 4999 bytes/);
  assert.equal((await unpack(large, "tar.gz", { sizeBytes: 5000 })).error, null);

  // Copies for links count as well.
  const links = Array.from({ length: 9 }, (_, index) => ({
    name: `link${index}`,
    type: "2",
    target: "a",
  }));
  const copies = tarGz([{ name: "a", content: "x".repeat(1000) }, ...links]);
  assertRefused(
    (await unpack(copies, "tar.gz", { sizeBytes: 9000 })).error,
    /more than 9000 bytes/,
  );
  // Zeros after the end are read for gzip's checksum, but not without end.
  const tail = gzipSync(new Uint8Array([...tar([]), ...new Uint8Array(4 * 1024 * 1024)]));
  assertRefused((await unpack(tail, "tar.gz")).error, /unpacks to more than/);
});

Deno.test("unpackArchive() refuses an archive that is cut off at any place", async () => {
  const content = crypto.getRandomValues(new Uint8Array(3000));
  const wholeTar = tarGz([{ name: "a", content, mode: 0o755 }, { name: "b", content: "b" }]);
  const wholeZip = zip([{ name: "a", content }, { name: "b", content: "b" }]);
  assert.equal((await unpack(wholeTar, "tar.gz")).error, null);
  assert.equal((await unpack(wholeZip, "zip")).error, null);
  for (let kept = 0; kept < wholeTar.length; kept += 97) {
    assertRefused((await unpack(wholeTar.subarray(0, kept), "tar.gz")).error, /cut off|damaged/);
  }
  for (let kept = 0; kept < wholeZip.length; kept += 97) {
    assertRefused((await unpack(wholeZip.subarray(0, kept), "zip")).error, /cut off|damaged/);
  }
});

Deno.test("unpackArchive() refuses or unpacks an archive with any byte changed, and does nothing else", async () => {
  const entries = [{ name: "dir/a", content: "first".repeat(40) }, {
    name: "b",
    content: "second",
  }];
  const plainTar = tar(entries);
  const wholeZip = zip(entries);
  let refused = 0;
  for (let at = 0; at < 1024; at += 17) {
    const changed = plainTar.slice();
    changed[at]! ^= 0xff;
    const { error, tree } = await unpack(gzipSync(changed), "tar.gz");
    if (error !== null) assertRefused(error, /^Cannot unpack/);
    if (error !== null) refused++;
    assert.ok(Object.keys(tree).every((name) => name.startsWith("a/b/into/")));
  }
  for (let at = 0; at < wholeZip.length; at += 5) {
    const changed = wholeZip.slice();
    changed[at]! ^= 0xff;
    const { error, tree } = await unpack(changed, "zip");
    if (error !== null) assertRefused(error, /^Cannot unpack/);
    if (error !== null) refused++;
    assert.ok(Object.keys(tree).every((name) => name.startsWith("a/b/into/")));
  }
  assert.ok(refused > 40, `only ${refused} were refused`);
});

// Archives that nobody should accept, each with a llama-server that would run: what an attacker puts in
// the place of a build.

import { deflateRawSync, gzipSync } from "node:zlib";
import { tar, type TarEntry, tarGz, zip, type ZipEntry } from "./archive_writer.ts";
import { scriptServer } from "./script_server.ts";

export interface CraftedArchive {
  what: string;
  kind: "tar.gz" | "zip";
  bytes: Uint8Array<ArrayBuffer>;
  /** Why it is refused. */
  reason: RegExp;
}

const NAME = /has a name that is not allowed/;
const TWICE = /is in it twice/;
const KIND = /neither a file nor/;
const TOO_MUCH = /unpacks to more than/;
const BROKEN = /damaged|cut off|not as long as/;
const SIZE = /size in it is wrong|more than|damaged|cut off/;

const SERVER = scriptServer();

function asTar(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  return tarGz([{ name: "b/llama-server", content: SERVER, mode: 0o755 }, ...entries]);
}

function asZip(entries: readonly ZipEntry[]): Uint8Array<ArrayBuffer> {
  return zip([{ name: "llama-server", content: SERVER, unixMode: 0o100755 }, ...entries]);
}

/** `outside` is an absolute path at which nothing is, and nothing may be afterwards. */
export function craftedArchives(outside: string): CraftedArchive[] {
  return [...byName(outside), ...tars(outside), ...zips(outside)];
}

/** Each name in a tar by pax, by GNU's long name, and in a zip. */
function byName(outside: string): CraftedArchive[] {
  const names: [string, string][] = [
    ["a name that climbs out", "../../../../evil.so"],
    ["a name that climbs out of a folder", "b/../../../evil.so"],
    ["a name that ends above", "b/.."],
    ["an absolute name", outside],
    ["an absolute name with two slashes", `/${outside}`],
    ["a name with backslashes", "..\\..\\evil.dll"],
    ["a drive letter", "C:\\evil.dll"],
    ["a drive letter without a folder", "C:evil.dll"],
    ["a name on another computer", "\\\\host\\share\\evil.dll"],
    ["a name of a Windows device path", "\\\\?\\C:\\evil.dll"],
    ["a stream of a file", "llama-server:evil"],
    ["a zero byte in the name", "b/libllama.so\0/../../evil.so"],
    ["a line break in the name", "evil\n.so"],
    ["a reserved name", "CON"],
    ["a reserved name with an ending", "b/nul.so"],
    ["a reserved name of a port", "com1"],
    ["a dot at the end", "libllama.so."],
    ["a space at the end", "libllama.so "],
    ["a hidden name", ".bashrc"],
    ["a name that looks like an argument", "-rf"],
    ["a name that turns its writing around", "libllama\u202eos.so"],
    ["a decomposed letter", "e\u0301vil.so"],
    ["a composed letter", "\u00e9vil.so"],
    ["wide dots and slashes", "\uff0e\uff0e\uff0fevil.so"],
    ["an overlong slash", "..\u2215evil.so"],
    ["no name", ""],
    ["a name that is too long", `${"x".repeat(119)}.so`],
    ["a path that is too deep", "1/2/3/4/evil.so"],
    ["a path of 60,000 characters", "d/".repeat(30_000) + "evil.so"],
    ["a home folder", "~/evil.so"],
  ];
  return names.flatMap(([what, name]): CraftedArchive[] => {
    const content = "evil";
    // A GNU name ends at its zero byte, and what is left is a plain one.
    const isCut = name.includes("\0");
    return [
      {
        what: `${what} (pax)`,
        kind: "tar.gz",
        bytes: asTar([{ name: "x", pax: { path: name }, content }]),
        reason: NAME,
      },
      ...(isCut ? [] : [{
        what: `${what} (GNU)`,
        kind: "tar.gz" as const,
        bytes: asTar([{ name: "x", gnuName: name, content }]),
        reason: NAME,
      }]),
      ...(name.length > 60_000 ? [] : [{
        what,
        kind: "zip" as const,
        bytes: asZip([{ name, content }]),
        reason: NAME,
      }]),
    ];
  });
}

function tars(outside: string): CraftedArchive[] {
  const link = (name: string, target: string): TarEntry => ({ name, type: "2", target });
  const special = (type: string): TarEntry => ({ name: "b/evil.so", type, target: outside });
  const rows: [string, readonly TarEntry[] | Uint8Array<ArrayBuffer>, RegExp][] = [
    ["a link that climbs out", [link("b/evil.so", "../../../evil")], /leads out of its folder/],
    ["a link to an absolute path", [link("b/evil.so", outside)], /leads out of its folder/],
    ["a link to the password file", [link("b/evil.so", "/etc/passwd")], /leads out of its folder/],
    [
      "a long link that climbs out",
      [{ ...link("b/evil.so", "x"), gnuTarget: `${"../".repeat(60)}evil` }],
      /leads out of its folder/,
    ],
    [
      "a link by pax that climbs out",
      [{ ...link("b/evil.so", "x"), pax: { linkpath: "../../evil" } }],
      /leads out of its folder/,
    ],
    [
      "a folder that is a link, and a file through it",
      [link("b/out", ".."), { name: "b/out/evil.so", content: "evil" }],
      /leads out of its folder/,
    ],
    [
      "a link to a folder, and a file through it",
      [link("out", "b"), { name: "out/evil.so", content: "evil" }],
      TWICE,
    ],
    [
      "a link to a link that climbs out",
      [link("b/a.so", "b.so"), link("b/b.so", "../../evil")],
      /leads out of its folder/,
    ],
    ["a link to nothing", [link("b/a.so", "b.so")], /no file of the archive/],
    ["a link to a folder", [link("a.so", "b")], /no file of the archive/],
    ["links in a circle", [link("b/a.so", "b.so"), link("b/b.so", "a.so")], /in a circle/],
    ["a link in the place of the server", [link("b/llama-server", "sh")], TWICE],
    ["a hard link out", [special("1")], KIND],
    ["a hard link within", [{ ...special("1"), target: "b/llama-server" }], KIND],
    ["a character device", [special("3")], KIND],
    ["a block device", [special("4")], KIND],
    ["a named pipe", [special("6")], KIND],
    ["a contiguous file", [special("7")], KIND],
    ["a sparse file", [special("S")], KIND],
    ["a continued file", [special("M")], KIND],
    ["a volume's label", [special("V")], KIND],
    ["a kind that nobody knows", [special("s")], KIND],
    ["a file twice", [{ name: "b/llama-server", content: "evil" }], TWICE],
    ["names that differ by case", [{ name: "b/LLAMA-SERVER", content: "evil" }], TWICE],
    ["folders that differ by case", [{ name: "B/evil.so", content: "evil" }], TWICE],
    ["a file, then a folder of its name", [{ name: "b/llama-server/x", content: "" }], TWICE],
    ["a folder, then a file of its name", [{ name: "b", content: "evil" }], TWICE],
    ["a folder with content", [{ name: "c/", type: "5", content: "evil" }], /has content/],
    [
      "a link with content",
      [{ ...link("b/a.so", "llama-server"), content: "evil" }],
      /has content/,
    ],
    [
      "much out of little",
      [{ name: "b/zeros.so", content: new Uint8Array(32 * 1024 * 1024) }],
      TOO_MUCH,
    ],
    ["one huge size", [{ name: "b/evil.so", content: "x", sizeBytes: 8 ** 11 - 1 }], TOO_MUCH],
    [
      "a huge size by pax",
      [{ name: "b/evil.so", content: "x", pax: { size: "9".repeat(15) } }],
      TOO_MUCH,
    ],
    ["a size beyond all numbers", [{ name: "b/evil.so", pax: { size: "9".repeat(40) } }], SIZE],
    ["a negative size by pax", [{ name: "b/evil.so", content: "x", pax: { size: "-512" } }], SIZE],
    ["a size in hexadecimal", [{ name: "b/evil.so", content: "x", pax: { size: "0x1" } }], SIZE],
    ["a size in powers", [{ name: "b/evil.so", content: "x", pax: { size: "1e0" } }], SIZE],
    ["a size of NaN", [{ name: "b/evil.so", content: "x", pax: { size: "NaN" } }], SIZE],
    ["a negative size", [{ name: "b/evil.so", content: "x", sizeField: "-0000000512\0" }], SIZE],
    [
      "a size of no number",
      [{ name: "b/evil.so", content: "x", sizeField: "99999999999\0" }],
      SIZE,
    ],
    [
      "a negative size of base 256",
      [{ name: "b/evil.so", content: "x", sizeField: new Uint8Array(12).fill(0xff) }],
      SIZE,
    ],
    [
      "a size of base 256 that is too large",
      [{ name: "b/evil.so", sizeField: new Uint8Array(12).fill(0x7f).with(0, 0x80) }],
      SIZE,
    ],
    ["2,001 files", Array.from({ length: 2_001 }, (_, at) => ({ name: `b/${at}` })), /entries/],
    [
      "a long name without end",
      [{ name: "x", gnuName: "x".repeat(70_000) }],
      /name in it is too long/,
    ],
    [
      "records without end",
      [{ name: "x", pax: { comment: "x".repeat(70_000) } }],
      /name in it is too long/,
    ],
    ["records that lie about their length", brokenPax(), /extended header in it is damaged/],
    ["an end that is cut off", cut(asTar([]), 0.9), BROKEN],
    ["half of it", cut(asTar([]), 0.5), BROKEN],
    [
      "a header that is damaged",
      changed(tar([{ name: "b/llama-server", content: SERVER }]), 3),
      BROKEN,
    ],
    ["a checksum that is wrong", wrongSum(asTar([])), BROKEN],
    ["zeros without end behind it", longTail(), TOO_MUCH],
    [
      "a tar that is not packed",
      new Uint8Array(tar([{ name: "b/llama-server", content: SERVER }])),
      BROKEN,
    ],
    ["no program", tarGz([{ name: "b/README", content: "text" }]), /has no llama-server/],
    [
      "a folder in the place of the program",
      tarGz([{ name: "b/llama-server/", type: "5" }]),
      /has no llama-server/,
    ],
  ];
  return rows.map(([what, given, reason]) => ({
    what,
    kind: "tar.gz",
    bytes: given instanceof Uint8Array ? given : asTar(given),
    reason,
  }));
}

function zips(outside: string): CraftedArchive[] {
  const evil: ZipEntry = { name: "evil.dll", content: "evil evil evil" };
  const rows: [string, readonly ZipEntry[] | Uint8Array<ArrayBuffer>, RegExp][] = [
    ["a link", [{ ...evil, content: outside, unixMode: 0o120777 }], KIND],
    ["a device", [{ ...evil, unixMode: 0o020666 }], KIND],
    ["a socket", [{ ...evil, unixMode: 0o140777 }], KIND],
    ["a named pipe", [{ ...evil, unixMode: 0o010666 }], KIND],
    ["an encrypted file", [{ ...evil, flags: 1 }], /is encrypted/],
    ["a method that nobody knows", [{ ...evil, method: 12 }], /method 12/],
    ["a wrong checksum", [{ ...evil, crc: 1 }], BROKEN],
    ["less than it says", [{ ...evil, sizeBytes: 99 }], BROKEN],
    ["more than it says", [{ ...evil, sizeBytes: 2 }], BROKEN],
    ["more than its directory says", [{ ...evil, directorySizeBytes: 2 }], BROKEN],
    ["packed bytes beyond its end", [{ ...evil, packedBytes: 4_000_000 }], BROKEN],
    ["one huge size", [{ ...evil, sizeBytes: 0xfffffffe }], TOO_MUCH],
    ["a size that only zip64 could hold", [{ ...evil, sizeBytes: 0xffffffff }], /zip64|more than/],
    [
      "much out of little",
      [{ name: "zeros", content: new Uint8Array(32 * 1024 * 1024) }],
      TOO_MUCH,
    ],
    ["much packed in what says little", [bombThatLies()], BROKEN],
    [
      "one name outside and another inside",
      [{ ...evil, localName: "../evil.dll" }],
      /has two names/,
    ],
    ["a file twice", [evil, evil], TWICE],
    ["names that differ by case", [evil, { ...evil, name: "EVIL.DLL" }], TWICE],
    ["a file, then a folder of its name", [evil, { name: "evil.dll/x" }], TWICE],
    ["a folder with content", [{ name: "c/", content: "evil" }], /has content/],
    ["files that share their bytes", [evil, { ...evil, name: "other.dll", dataOf: 1 }], BROKEN],
    ["2,001 files", Array.from({ length: 2_001 }, (_, at) => ({ name: `f${at}` })), /entries/],
    ["an end that is cut off", cut(asZip([evil]), 0.95), /no zip, or cut off/],
    ["half of it", cut(asZip([evil]), 0.5), /no zip, or cut off/],
    ["a count for zip64", changedEnd(10, [0xff, 0xff]), /zip64/],
    ["a directory for zip64", changedEnd(16, [0xff, 0xff, 0xff, 0xff]), /zip64/],
    ["a directory beyond its end", changedEnd(12, [0, 0, 0x10, 0]), BROKEN],
    ["a directory that is too large", changedEnd(12, [0, 0, 0, 0x7f]), BROKEN],
    ["more entries than there are", changedEnd(10, [9, 0]), BROKEN],
    ["several disks", changedEnd(4, [1, 0]), BROKEN],
    ["no entry at all", zip([]), /has no llama-server/],
  ];
  return rows.map(([what, given, reason]) => ({
    what,
    kind: "zip",
    bytes: given instanceof Uint8Array ? given : asZip(given),
    reason,
  }));
}

/** Deflated zeros whose headers speak of ten bytes. */
function bombThatLies(): ZipEntry {
  const content = new Uint8Array(deflateRawSync(new Uint8Array(8 * 1024 * 1024)));
  return { name: "zeros", content, method: 0, sizeBytes: 10 };
}

function brokenPax(): Uint8Array<ArrayBuffer> {
  return asTar([{ name: "pax", type: "x", content: "999 path=../../evil\n" }, { name: "x" }]);
}

function cut(bytes: Uint8Array<ArrayBuffer>, part: number): Uint8Array<ArrayBuffer> {
  return bytes.slice(0, Math.floor(bytes.length * part));
}

function changed(plain: Uint8Array, at: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(plain.with(at, plain[at]! ^ 1)));
}

function wrongSum(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.with(bytes.length - 8, bytes[bytes.length - 8]! ^ 1);
}

function longTail(): Uint8Array<ArrayBuffer> {
  const plain = tar([{ name: "b/llama-server", content: SERVER, mode: 0o755 }]);
  const bytes = new Uint8Array(plain.length + 8 * 1024 * 1024);
  bytes.set(plain);
  return new Uint8Array(gzipSync(bytes));
}

/** Of the record at a zip's end, 22 bytes. */
function changedEnd(at: number, values: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = asZip([]);
  bytes.set(values, bytes.length - 22 + at);
  return bytes;
}

// Writes the archives that tests unpack: well-made ones, and any that nobody should accept.

import { crc32, deflateRawSync, gzipSync } from "node:zlib";

export interface TarEntry {
  name: string;
  content?: string | Uint8Array;
  mode?: number;
  /** Type flag; `0` = file, `2` = symbolic link, `5` = folder. */
  type?: string;
  target?: string;
  /** What the header says instead of the content's length. */
  sizeBytes?: number;
  /** The twelve bytes of the size as they are. */
  sizeField?: string | Uint8Array;
  /** pax records written before this entry. */
  pax?: Record<string, string>;
  /** Written as a GNU long name before this entry. */
  gnuName?: string;
  /** Written as a GNU long target before this entry. */
  gnuTarget?: string;
}

const encoder = new TextEncoder();

export function tarGz(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(tar(entries)));
}

export function tar(entries: readonly TarEntry[]): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const entry of entries) {
    if (entry.pax !== undefined) {
      const records = Object.entries(entry.pax).map(([key, value]) => paxRecord(key, value)).join(
        "",
      );
      blocks.push(...tarBlocks({ name: "pax", type: "x", content: records }));
    }
    if (entry.gnuName !== undefined) {
      blocks.push(
        ...tarBlocks({ name: "././@LongLink", type: "L", content: entry.gnuName + "\0" }),
      );
    }
    if (entry.gnuTarget !== undefined) {
      const content = entry.gnuTarget + "\0";
      blocks.push(...tarBlocks({ name: "././@LongLink", type: "K", content }));
    }
    blocks.push(...tarBlocks(entry));
  }
  return joined([...blocks, new Uint8Array(1024)]);
}

function tarBlocks(entry: TarEntry): Uint8Array[] {
  const content = bytesOf(entry.content ?? "");
  const header = new Uint8Array(512);
  const field = (offset: number, value: string) => header.set(encoder.encode(value), offset);
  field(0, entry.name);
  field(100, (entry.mode ?? 0o644).toString(8).padStart(7, "0"));
  field(124, (entry.sizeBytes ?? content.length).toString(8).padStart(11, "0"));
  if (entry.sizeField !== undefined) header.set(bytesOf(entry.sizeField), 124);
  field(136, "00000000000");
  field(156, entry.type ?? "0");
  field(157, entry.target ?? "");
  field(257, "ustar\x0000");
  field(148, "        ");
  const sum = header.reduce((total, byte) => total + byte, 0);
  field(148, sum.toString(8).padStart(6, "0") + "\0 ");
  return [header, content, new Uint8Array((512 - content.length % 512) % 512)];
}

/** The length in front counts bytes, its own digits too. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const restBytes = encoder.encode(rest).length;
  let length = restBytes;
  while (String(length).length + restBytes !== length) length = String(length).length + restBytes;
  return length + rest;
}

export interface ZipEntry {
  name: string;
  content?: string | Uint8Array;
  /** 0 = stored, 8 = deflated. */
  method?: number;
  unixMode?: number;
  flags?: number;
  crc?: number;
  /** What both headers say instead of the content's length. */
  sizeBytes?: number;
  /** What the directory alone says. */
  directorySizeBytes?: number;
  packedBytes?: number;
  /** The name in front of the data, where it differs from the directory's. */
  localName?: string;
  /** Points at this entry's data instead of its own. */
  dataOf?: number;
}

export function zip(entries: readonly ZipEntry[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const entry of entries) {
    const content = bytesOf(entry.content ?? "");
    const method = entry.method ?? 8;
    const packed = method === 8 ? new Uint8Array(deflateRawSync(content)) : content;
    const name = encoder.encode(entry.name);
    const localName = encoder.encode(entry.localName ?? entry.name);
    const common = new DataView(new ArrayBuffer(26));
    common.setUint16(0, 20, true);
    common.setUint16(2, entry.flags ?? 0, true);
    common.setUint16(4, method, true);
    common.setUint32(10, entry.crc ?? crc32(content), true);
    common.setUint32(14, packed.length, true);
    common.setUint32(18, entry.sizeBytes ?? content.length, true);
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, 0x04034b50, true);
    new Uint8Array(local.buffer).set(new Uint8Array(common.buffer), 4);
    local.setUint16(26, localName.length, true);
    const central = new DataView(new ArrayBuffer(46));
    central.setUint32(0, 0x02014b50, true);
    central.setUint16(4, 3 << 8 | 20, true);
    new Uint8Array(central.buffer).set(new Uint8Array(common.buffer), 6);
    if (entry.directorySizeBytes !== undefined) {
      central.setUint32(24, entry.directorySizeBytes, true);
    }
    if (entry.packedBytes !== undefined) central.setUint32(20, entry.packedBytes, true);
    central.setUint16(28, name.length, true);
    central.setUint32(38, (entry.unixMode ?? 0o100644) * 0x10000, true);
    central.setUint32(42, entry.dataOf === undefined ? offset : offsets[entry.dataOf]!, true);
    directory.push(new Uint8Array(central.buffer), name);
    offsets.push(offset);
    for (const part of [new Uint8Array(local.buffer), localName, packed]) {
      parts.push(part);
      offset += part.length;
    }
  }
  const directoryBytes = joined(directory);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, entries.length, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(12, directoryBytes.length, true);
  end.setUint32(16, offset, true);
  return joined([...parts, directoryBytes, new Uint8Array(end.buffer)]);
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? encoder.encode(content) : content;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

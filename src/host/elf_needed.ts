// The libraries that a Linux program or library names as needed: by their names alone, the loader looks for
// them in folders of its own.

import { bytesAt, segmentsOf } from "./elf_interpreter.ts";

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const ENTRY_BYTES = 16;
const MOST_TABLE_BYTES = 64 * 1024;
const MOST_NAME_BYTES = 256;

/** None of what is no such file, not there, or not to be read. */
export function neededBy(path: string): string[] {
  try {
    using file = Deno.openSync(path, { read: true });
    return neededIn(file);
  } catch (error) {
    const { NotFound, NotCapable, PermissionDenied } = Deno.errors;
    const isNothing = error instanceof NotFound || error instanceof NotCapable;
    if (!isNothing && !(error instanceof PermissionDenied)) throw error;
    return [];
  }
}

function neededIn(file: Deno.FsFile): string[] {
  const { size, isFile } = file.statSync();
  if (!isFile) return [];
  const segments = segmentsOf(file) ?? [];
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined || dynamic.sizeBytes > MOST_TABLE_BYTES) return [];
  const table = bytesAt(file, dynamic.offset, dynamic.sizeBytes);
  if (table === null) return [];
  const entries = Array.from(
    { length: Math.floor(table.byteLength / ENTRY_BYTES) },
    (_, index) => ({
      tag: Number(table.getBigInt64(index * ENTRY_BYTES, true)),
      value: Number(table.getBigUint64(index * ENTRY_BYTES + 8, true)),
    }),
  );
  const address = entries.find(({ tag }) => tag === DT_STRTAB)?.value;
  const holder = segments.find((each) =>
    each.type === PT_LOAD && address !== undefined && address >= each.address &&
    address < each.address + each.sizeBytes
  );
  if (address === undefined || holder === undefined) return [];
  const names = address - holder.address + holder.offset;
  return entries.filter(({ tag }) => tag === DT_NEEDED).flatMap(({ value }) => {
    const at = names + value;
    const bytes = at < size ? bytesAt(file, at, Math.min(MOST_NAME_BYTES, size - at)) : null;
    const name = bytes === null ? "" : new TextDecoder().decode(bytes).split("\0")[0]!;
    return name === "" || name.includes("/") ? [] : [name];
  });
}

// What an installed build was made of: by that two of one name are told apart, and one that was here
// already is known.

import { join } from "node:path";
import { type BuildRecord, listBuilds, listRecords } from "./runtime_home.ts";

/** `name`, or where a whole build of other archives is called so, one that tells them apart. */
export async function freeName(
  runtimeHome: string,
  { name, archives }: Pick<BuildRecord, "name" | "archives">,
): Promise<string> {
  const folder = join(runtimeHome, name);
  const there = (await listBuilds(runtimeHome)).find((each) => each.folder === folder);
  const digests = digestsOf(archives);
  if (there === undefined || digestsOf(there.record.archives) === digests) return name;
  return `${name.slice(0, 80)}-${await shortHash(digests)}`;
}

/** Whether a build here, whole or not, was made of this archive. */
export async function hasArchive(runtimeHome: string, sha256: string): Promise<boolean> {
  const records = await listRecords(runtimeHome);
  return records.some(({ record }) => isMadeOf(record, sha256));
}

export function isMadeOf({ archives }: BuildRecord, sha256: string): boolean {
  return digestsOf(archives).split(" ").includes(sha256);
}

/** A record may be of an earlier release. */
function digestsOf(archives: BuildRecord["archives"] | undefined): string {
  return (archives ?? []).map(({ sha256 }) => sha256).sort().join(" ");
}

async function shortHash(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(hash).toHex().slice(0, 8);
}

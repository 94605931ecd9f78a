// The system call filters as files, in a folder that the server cannot write: they are opened by path.

import { join } from "node:path";
import { durableWrite } from "../durable_write.ts";
import { userId } from "./rights.ts";
import { type Architecture, filterFor } from "./seccomp.ts";

export interface FilterFilesOptions {
  /** Made where it is missing; anybody else's is refused. */
  folder: string;
  architecture: Architecture;
  besideOthers: boolean;
}

/** Paths of both filters, written where they are missing or differ. */
export async function filterFiles(
  options: FilterFilesOptions,
): Promise<{ plain: string; gpu: string }> {
  const { folder, architecture, besideOthers } = options;
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  // In the temporary folder, anybody may have made one of this name.
  const { isDirectory, uid, mode } = await Deno.lstat(folder);
  const isForeign = uid !== null && uid !== 0 && uid !== userId();
  if (!isDirectory || isForeign || ((mode ?? 0) & 0o022) !== 0) {
    throw new Error("others can write there");
  }
  const write = async (gpu: boolean) => {
    const words = [besideOthers ? "shared" : "apart", ...(gpu ? ["gpu"] : []), architecture];
    const path = join(folder, `${words.join("-")}.bpf`);
    const filter = filterFor({ architecture, gpu, besideOthers });
    if (!(await holds(path, filter))) await durableWrite(path, filter);
    return path;
  };
  return { plain: await write(false), gpu: await write(true) };
}

async function holds(path: string, bytes: Uint8Array): Promise<boolean> {
  try {
    const there = await Deno.readFile(path);
    return there.length === bytes.length && there.every((byte, index) => byte === bytes[index]);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

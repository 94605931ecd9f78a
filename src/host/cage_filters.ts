// The system call filters as files, in a folder that the server cannot write: they are opened by path.

import { join } from "node:path";
import { durableWrite } from "../durable_write.ts";
import { type Architecture, filterFor } from "./seccomp.ts";

export interface FilterFilesOptions {
  /** Made where it is missing. */
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

// Brings the checked files of a download to where models lie. A cut at any instruction leaves either
// the partial files or the model, and is understood at the next start.

import { basename, dirname, join } from "node:path";
import { removeIfThere, syncPath } from "../durable_write.ts";
import { modelIdOf, splitNameOf } from "./model_names.ts";
import { safeJoin } from "./safe_join.ts";

/** Hidden, so that no scan looks into it, from whatever folder it comes. */
export const READY_FOLDER = ".ready";

export interface InstallableFile {
  /** In the repository. */
  name: string;
  /** Where it lies now, checked. */
  path: string;
  sizeBytes: number;
}

export interface InstallOptions {
  home: string;
  /** Of the download alone. */
  folder: string;
  id: string;
  files: readonly InstallableFile[];
}

/** `taken`: another file has the name now. `lost`: what was downloaded is not there any more. */
export type Placed = "placed" | "taken" | "lost";

/** After `placed` the model lies in its place, whatever power does from then on. */
export async function install(options: InstallOptions): Promise<Placed> {
  const { home, folder, files } = options;
  const isFolder = files.length > 1 || splitNameOf(basename(files[0]!.name)) !== null;
  const placed = isFolder ? await installFolder(options) : await installFile(options);
  if (placed === "taken") return placed;
  if (placed === "placed") await syncPath(home);
  await removeIfThere(folder);
  return placed;
}

async function installFile({ home, id, files }: InstallOptions): Promise<Placed> {
  const file = files[0]!;
  const name = basename(file.name);
  const target = safeJoin(home, modelIdOf(name) === id ? name : `${id}.gguf`);
  const here = await look(file.path);
  const there = await look(target);
  if (here === null) return isWhole(there, file) ? "placed" : "lost";
  if (there === null) return await giveName(file.path, target) ? "placed" : "taken";
  // Two names of one file: power went between the new one and the end of the old one.
  return here.ino !== null && here.ino === there.ino && here.dev === there.dev ? "placed" : "taken";
}

/** The folder gets its name when all is in it: no scan sees a part of a model. */
async function installFolder({ home, folder, id, files }: InstallOptions): Promise<Placed> {
  const target = safeJoin(home, id);
  const ready = join(folder, READY_FOLDER);
  await Deno.mkdir(ready, { recursive: true });
  for (const file of files) {
    if (await look(file.path) !== null) {
      await Deno.rename(file.path, join(ready, basename(file.name)));
    }
  }
  const isReady = await hasAll(ready, files);
  if (await look(target) !== null) {
    return !isReady && await hasAll(target, files) ? "placed" : "taken";
  }
  if (!isReady) return "lost";
  await syncPath(ready);
  await Deno.rename(ready, target);
  return "placed";
}

async function hasAll(folder: string, files: readonly InstallableFile[]): Promise<boolean> {
  for (const file of files) {
    if (!isWhole(await look(join(folder, basename(file.name))), file)) return false;
  }
  return true;
}

/** Never in place of another file, which a rename would be. */
async function giveName(from: string, to: string): Promise<boolean> {
  try {
    await Deno.link(from, to);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    // Memory cards and sticks have no second names.
    if (await look(to) !== null) return false;
    await Deno.rename(from, to);
    return true;
  }
  await syncPath(dirname(to));
  await Deno.remove(from);
  return true;
}

function isWhole(info: Deno.FileInfo | null, { sizeBytes }: InstallableFile): boolean {
  return info !== null && info.isFile && info.size === sizeBytes;
}

async function look(path: string): Promise<Deno.FileInfo | null> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

// Installs the llama.cpp build that this program carries, where it carries one: no network is needed.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { removeIfThere, writeAll } from "../durable_write.ts";
import { unpackArchive } from "./archive.ts";
import { ownLoader, setInterpreter } from "./elf_interpreter.ts";
import { type EmbeddedRuntime, RUNTIME_ARCHIVE, RUNTIME_RECORD } from "./embedded_runtime.ts";
import type { InstallContext, InstallSource, PreparedBuild } from "./install_source.ts";
import { fileBeside } from "./program_files.ts";
import { SERVER_FILE } from "./server_file.ts";

export interface EmbeddedOptions {
  /** Folder with the archive and its record; by default that of the program's scripts. */
  folder?: string;
  platform?: { os: string; arch: string };
}

export function embeddedSource(options: EmbeddedOptions = {}): InstallSource {
  const { platform = { os: Deno.build.os, arch: Deno.build.arch } } = options;

  async function unsuitable(): Promise<string | null> {
    const runtime = await readRecord(pathOf(RUNTIME_RECORD, options));
    if (runtime === null) return "none is inside this program";
    const fits = runtime.os === platform.os && runtime.arch === platform.arch;
    return fits ? null : `the one inside is for ${runtime.os} on ${runtime.arch}`;
  }

  async function* builds(context: InstallContext): AsyncGenerator<PreparedBuild> {
    const runtime = await readRecord(pathOf(RUNTIME_RECORD, options));
    const packed = pathOf(RUNTIME_ARCHIVE, options);
    if (runtime === null || packed === null) return;
    const archive = join(context.workFolder, RUNTIME_ARCHIVE);
    await copyChecked(packed, archive, { runtime, context });
    const folder = join(context.workFolder, "unpacked");
    await Deno.mkdir(folder, { mode: 0o755 });
    await unpackArchive(archive, folder, { signal: context.signal });
    await removeIfThere(archive);
    if (!(await Deno.lstat(join(folder, SERVER_FILE))).isFile) {
      throw new Error(`there is no ${SERVER_FILE} in it`);
    }
    if (runtime.loader !== null) {
      await useLoader(folder, runtime.loader, context.finalFolder(runtime.name));
    }
    const archives = [{ name: RUNTIME_ARCHIVE, sha256: runtime.sha256 }];
    yield { name: runtime.name, folder, verified: "pinned", archives, needsDevice: false };
  }

  return { name: "embedded", unsuitable, builds };
}

function pathOf(name: string, { folder }: EmbeddedOptions): string | null {
  if (folder !== undefined) return join(folder, name);
  const address = fileBeside(name);
  return address === null ? null : fileURLToPath(address);
}

async function readRecord(path: string | null): Promise<EmbeddedRuntime | null> {
  if (path === null) return null;
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

// Out of the executable first: what is checked is what is unpacked.
async function copyChecked(
  from: string,
  to: string,
  { runtime, context }: { runtime: EmbeddedRuntime; context: InstallContext },
): Promise<void> {
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  using source = await Deno.open(from, { read: true });
  using target = await Deno.open(to, { write: true, createNew: true, mode: 0o600 });
  let copied = 0;
  for await (const bytes of source.readable) {
    context.signal.throwIfAborted();
    context.progress("Unpacking the llama.cpp inside this program", copied / runtime.sizeBytes);
    copied += bytes.length;
    hash.update(bytes);
    await writeAll(target, bytes);
  }
  const sha256 = hash.digest("hex");
  if (sha256 !== runtime.sha256) {
    throw new Error(`it is damaged: SHA-256 ${sha256} instead of ${runtime.sha256}`);
  }
}

/** Programs that brought their own loader find it by an absolute path. */
async function useLoader(folder: string, loader: string, finalFolder: string): Promise<void> {
  for await (const { name, isFile } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isFile && await ownLoader(path) === loader) {
      await setInterpreter(path, join(finalFolder, loader));
    }
  }
}

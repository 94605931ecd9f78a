// Installs the llama.cpp build that this program carries, where it carries one: no network is needed.

import { join } from "node:path";
import { removeIfThere, writeAll } from "../durable_write.ts";
import { unpackArchive } from "./archive.ts";
import { ownLoader, setInterpreter } from "./elf_interpreter.ts";
import {
  type EmbeddedOptions,
  type EmbeddedRuntime,
  embeddedRuntime,
  foreignTo,
  RUNTIME_ARCHIVE,
} from "./embedded_runtime.ts";
import type { InstallContext, InstallSource, PreparedBuild } from "./install_source.ts";
import { SERVER_FILE } from "./server_file.ts";

export interface EmbeddedSourceOptions extends EmbeddedOptions {
  /** It is to take the place of one that sees a GPU. */
  needsDevice?: boolean;
}

export function embeddedSource(options: EmbeddedSourceOptions = {}): InstallSource {
  const { needsDevice = false } = options;

  async function unsuitable(): Promise<string | null> {
    const embedded = await embeddedRuntime(options);
    if (embedded === null) return "none is inside this program";
    return foreignTo(options, embedded.runtime);
  }

  async function* builds(context: InstallContext): AsyncGenerator<PreparedBuild> {
    const embedded = await embeddedRuntime(options);
    if (embedded === null) return;
    const { runtime } = embedded;
    const archive = join(context.workFolder, RUNTIME_ARCHIVE);
    await copyChecked(embedded.archive, archive, { runtime, context });
    const folder = join(context.workFolder, "unpacked");
    await Deno.mkdir(folder, { mode: 0o755 });
    await unpackArchive(archive, folder, { signal: context.signal });
    await removeIfThere(archive);
    if (!(await Deno.lstat(join(folder, SERVER_FILE))).isFile) {
      throw new Error(`there is no ${SERVER_FILE} in it`);
    }
    const archives = [{ name: RUNTIME_ARCHIVE, sha256: runtime.sha256 }];
    const name = await context.nameFor(runtime.name, archives);
    if (runtime.loader !== null) {
      await useLoader(folder, runtime.loader, context.finalFolder(name));
    }
    yield { name, folder, verified: "pinned", archives, needsDevice };
  }

  return { name: "embedded", unsuitable, builds };
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

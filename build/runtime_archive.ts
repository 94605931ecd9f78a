// `--with-runtime DIR`: a llama.cpp build as one archive, with what is known of it, beside the program's
// scripts. src/host/install_embedded.ts unpacks it at a first start.

import { createHash } from "node:crypto";
import { basename, dirname, join, resolve } from "node:path";
import { tmpdir } from "node:os";
import { unpackArchive } from "../src/host/archive.ts";
import { ownLoader } from "../src/host/elf_interpreter.ts";
import {
  type EmbeddedRuntime,
  RUNTIME_ARCHIVE,
  RUNTIME_RECORD,
} from "../src/host/embedded_runtime.ts";
import { removeIfThere } from "../src/durable_write.ts";
import { messageOf } from "../src/errors.ts";
import { parseVersion } from "../src/host/runtime_probe.ts";
import { programKind } from "./program_kind.ts";
import { BuildFailure, run } from "./step.ts";
import { type PackedFile, packTarGz } from "./tar_writer.ts";
import type { Target } from "./targets.ts";

/** What our own installer notes beside a build: another one is made where it is unpacked. */
const NOTES = new Set(["runtime.json", "runtime.unfinished"]);

type System = Pick<Target, "os" | "arch">;

/** Throws `BuildFailure` for a folder of which this is already seen; writes nothing. */
export async function checkRuntime(source: string, target: System): Promise<void> {
  const folder = resolve(source);
  await checkServer(join(folder, serverOf(target)), target);
  await loaderIn(folder, serverOf(target));
}

/**
 * `into`: a folder that has none. Throws `BuildFailure` for a folder that the program could not use on that
 * system.
 */
export async function packRuntime(
  source: string,
  { into, target }: { into: string; target: System },
): Promise<EmbeddedRuntime> {
  const folder = resolve(source);
  const server = serverOf(target);
  await checkServer(join(folder, server), target);
  const archive = join(into, RUNTIME_ARCHIVE);
  let loader: string | null;
  try {
    await packTarGz(await filesOf(folder), archive);
    await checkUnpacks(archive);
    loader = await loaderIn(folder, server);
  } catch (error) {
    await removeIfThere(archive);
    throw error;
  }
  const bytes = await Deno.readFile(archive);
  const build = await buildNumber(join(folder, server), target);
  const runtime: EmbeddedRuntime = {
    schema: 1,
    name: buildName(folder, build),
    build,
    os: target.os,
    arch: target.arch,
    sizeBytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    loader,
  };
  await Deno.writeTextFile(join(into, RUNTIME_RECORD), `${JSON.stringify(runtime, null, 2)}\n`);
  return runtime;
}

function serverOf({ os }: System): string {
  return os === "windows" ? "llama-server.exe" : "llama-server";
}

async function checkServer(path: string, { os, arch }: System): Promise<void> {
  const kind = await programKind(path);
  if (kind === null) {
    throw new BuildFailure(`Cannot embed a runtime: there is no program "${path}"`);
  }
  if (kind.os !== os || kind.arch !== arch) {
    throw new BuildFailure(
      `Cannot embed a runtime for ${os} on ${arch}: "${path}" is for ${kind.os} on ${kind.arch}`,
    );
  }
}

async function filesOf(folder: string): Promise<PackedFile[]> {
  const files: PackedFile[] = [];
  for await (const { name, isFile, isSymlink } of Deno.readDir(folder)) {
    // Folders and hidden files are no part of a build that starts: all its files lie beside the program.
    if (NOTES.has(name) || name.startsWith(".") || !(isFile || isSymlink)) continue;
    const path = join(folder, name);
    files.push({ name, path, target: isSymlink ? await Deno.readLink(path) : null });
  }
  return files.sort((a, b) => a.name < b.name ? -1 : 1);
}

/** By the product's own rules for archives: what it would refuse at a first start is refused here. */
async function checkUnpacks(archive: string): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: tmpdir(), prefix: "zombie-runtime-" });
  try {
    await unpackArchive(archive, folder);
  } catch (error) {
    throw new BuildFailure(`Cannot embed this runtime: ${messageOf(error)}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function loaderIn(folder: string, server: string): Promise<string | null> {
  const loader = await ownLoader(join(folder, server));
  if (loader === null) return null;
  try {
    await Deno.lstat(join(folder, loader));
    return loader;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new BuildFailure(
      `Cannot embed this runtime: its programs start with "${loader}", which is not in "${folder}"`,
    );
  }
}

/** What it says itself, where it can be asked here; else what its folder's name says. */
async function buildNumber(
  server: string,
  { os, arch }: System,
): Promise<number | null> {
  if (os === Deno.build.os && arch === Deno.build.arch) {
    try {
      const { stdout, stderr } = await run(server, ["--version"], { cwd: dirname(server) });
      const said = parseVersion(`${stderr}\n${stdout}`)?.build ?? null;
      if (said !== null) return said;
    } catch (error) {
      // As where its loader is missing.
      const { NotFound, PermissionDenied } = Deno.errors;
      if (!(error instanceof NotFound || error instanceof PermissionDenied)) throw error;
    }
  }
  const named = /(?:^|-)b(\d{4,7})(?=-|$)/.exec(basename(dirname(server)))?.[1];
  return named === undefined ? null : Number(named);
}

/** What is there is never replaced: each build number has a folder of its own. */
function buildName(folder: string, build: number | null): string {
  const given = basename(folder).toLowerCase().replace(/[^a-z0-9.+~-]/g, "-");
  const name = /^[a-z0-9].{0,90}$/.test(given) ? given : "llama-embedded";
  return build === null || name.includes(`b${build}`) ? name : `${name}-b${build}`;
}

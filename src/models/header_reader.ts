// What is known of files' contents: headers read once and remembered by path, size and time, and
// whether a file that cannot be read may still be on its way. Which models exist is the library's.

import { basename } from "node:path";

import { AppError, type AppErrorData, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { type GgufFacts, readGgufFacts } from "./gguf.ts";
import { readGgufPatiently } from "./gguf_windows.ts";
import { checkServable, readSplitFacts } from "./gguf_split.ts";
import type { ModelFiles } from "./model_files.ts";
import type { ModelRecord } from "./registry_rows.ts";

/** To be raised whenever `GgufFacts` says more or otherwise: headers on record are read again. */
export const FACTS_VERSION = 1;

/** Reads the header of a model's parts, and of its projector. */
export type ReadFacts = (
  paths: readonly string[],
  projectorPath: string | null,
) => Promise<GgufFacts>;

/** Facts or error, the other is null. */
export interface Contents {
  facts: GgufFacts | null;
  error: AppErrorData | null;
  /** The file is not to blame for the error (permissions, say): read again next time. */
  isPassing: boolean;
}

export interface HeaderReaderOptions {
  readFacts?: ReadFacts | undefined;
  /** How long a file that cannot be read must lie still before that is said of it. */
  settleMs: number;
  log: Log;
}

interface Known {
  signature: string;
  contents: Contents;
  /** When it was read, and when it last looked different, on the clock of `performance.now()`. */
  readAtMs: number;
  changedAtMs: number;
}

export class HeaderReader {
  /** In the first scan a file's own time must tell how long it has lain there. */
  isFirstScan = true;
  readonly #options: HeaderReaderOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: HeaderReaderOptions, records: readonly ModelRecord[]) {
    this.#options = options;
    for (const record of records) {
      if (record.factsVersion !== FACTS_VERSION) continue;
      if ((record.facts === null) === (record.error === null)) continue;
      this.#known.set(record.path, {
        signature: signatureOf(record),
        contents: { facts: record.facts, error: record.error, isPassing: false },
        readAtMs: -Infinity,
        changedAtMs: -Infinity,
      });
    }
  }

  /** What the files hold, if they were read as they are now; without opening them. */
  known(files: ModelFiles): Contents | null {
    if (files.missing.length > 0) return this.#remember(files, missingPartError(files));
    const known = this.#known.get(keyOf(files));
    if (known === undefined || known.contents.isPassing) return null;
    return known.signature === signatureOf(placeOf(files)) ? known.contents : null;
  }

  /** Whether a file that grows was looked at a moment ago: a header is not read for each event. */
  isTooSoon(files: ModelFiles): boolean {
    const readAtMs = this.#known.get(keyOf(files))?.readAtMs ?? -Infinity;
    return performance.now() - readAtMs < this.#options.settleMs / 3;
  }

  /** Reads the header; null where the file is gone meanwhile. Never throws. */
  async read(files: ModelFiles): Promise<Contents | null> {
    // A drive that hangs must not take the thread along that answers requests.
    const readOne = files.source === "import" ? readGgufPatiently : readGgufFacts;
    const readFacts = this.#options.readFacts ?? modelReader(readOne);
    try {
      // The real paths: the reader refuses links, and these were looked at.
      const facts = await readFacts(
        files.parts.map((part) => part.realPath),
        files.projector?.realPath ?? null,
      );
      return this.#remember(files, { facts, error: null, isPassing: false });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      if (error instanceof AppError) {
        const isPassing = error.values["reason"] === "too_slow";
        return this.#remember(files, { facts: null, error: error.toData(), isPassing });
      }
      // Wide on purpose: no file that somebody made may end the server, whatever it breaks.
      this.#options.log.warn("A model file cannot be read", {
        path: keyOf(files),
        error: messageOf(error),
      });
      const failure = unreadable(files, messageOf(error));
      return this.#remember(files, { facts: null, error: failure, isPassing: true });
    }
  }

  /**
   * Whether to believe an error: the files have lain still for a while, and nobody is known to
   * write them. What is half-written is not offered, neither as a model nor as a broken one.
   */
  isSettled(files: ModelFiles): boolean {
    if (files.hasTemporaryBeside) return false;
    const { settleMs } = this.#options;
    const changedAtMs = this.#known.get(keyOf(files))?.changedAtMs ?? -Infinity;
    const ageMs = Date.now() - newest(files);
    // A time in the future is a wrong clock, not a fresh file.
    return performance.now() - changedAtMs >= settleMs && (ageMs >= settleMs || ageMs < -settleMs);
  }

  /** Forgets files that are not there any more. */
  retain(all: Iterable<ModelFiles>): void {
    const keys = new Set([...all].map(keyOf));
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
  }

  #foundAtMs(): number {
    return this.isFirstScan ? -Infinity : performance.now();
  }

  #remember(files: ModelFiles, contents: Contents): Contents {
    const before = this.#known.get(keyOf(files));
    const signature = signatureOf(placeOf(files));
    const now = performance.now();
    this.#known.set(keyOf(files), {
      signature,
      contents,
      readAtMs: now,
      changedAtMs: before === undefined
        ? this.#foundAtMs()
        : before.signature === signature
        ? before.changedAtMs
        : now,
    });
    return contents;
  }
}

/** Where a model's files lie and how they looked: what their contents are remembered by. */
export type ModelPlace = Pick<
  ModelRecord,
  "path" | "parts" | "mmprojPath" | "sizeBytes" | "mtimeMs"
>;

export function placeOf(files: ModelFiles): ModelPlace {
  return {
    path: keyOf(files),
    parts: files.parts.map((part) => part.path),
    mmprojPath: files.projector?.path ?? null,
    sizeBytes: files.parts.reduce((sum, part) => sum + part.sizeBytes, 0),
    mtimeMs: newest(files),
  };
}

/** A projector lends its model what it can do. */
function modelReader(readOne: (path: string) => Promise<GgufFacts>): ReadFacts {
  return async (paths, projectorPath) => {
    const facts = await readSplitFacts(paths, readOne);
    if (facts.kind !== "projector" && facts.kind !== "adapter") {
      checkServable(facts, basename(paths[0]!));
    }
    if (projectorPath === null) return facts;
    const { capabilities } = await readOne(projectorPath);
    return { ...facts, capabilities: [...new Set([...facts.capabilities, ...capabilities])] };
  };
}

function newest({ parts, projector }: ModelFiles): number {
  const times = parts.map((part) => part.mtimeMs);
  return Math.max(...times, projector?.mtimeMs ?? -Infinity);
}

function keyOf(files: ModelFiles): string {
  return files.parts[0]!.path;
}

function signatureOf({ parts, mmprojPath, sizeBytes, mtimeMs }: ModelPlace): string {
  return JSON.stringify([parts, mmprojPath, sizeBytes, mtimeMs]);
}

function missingPartError(files: ModelFiles): Contents {
  const [file = "", ...others] = files.missing;
  const beside = others.length === 0 ? "is" : `and ${others.length} more are`;
  return {
    facts: null,
    isPassing: false,
    error: {
      code: "model_file_invalid",
      message: `Cannot use ${JSON.stringify(files.id)}: ${
        JSON.stringify(file)
      } ${beside} missing. Put all parts into one folder`,
      values: { reason: "part_missing", file, model: files.id },
    },
  };
}

function unreadable(files: ModelFiles, reason: string): AppErrorData {
  const file = basename(keyOf(files));
  return {
    code: "model_file_invalid",
    message: `Cannot read ${JSON.stringify(file)} (${reason}). Check the file's permissions`,
    values: { reason: "unreadable", file, model: files.id },
  };
}

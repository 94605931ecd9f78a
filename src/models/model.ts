// A model as everyone else sees it. Who makes it from files is library.ts.

import type { AppErrorData } from "../errors.ts";
import type { GgufFacts } from "./gguf.ts";
import type { ModelSource } from "./registry_rows.ts";

/** What a request can name. */
export interface Model {
  readonly id: string;
  /** Absolute path of the first part. */
  readonly path: string;
  readonly parts: readonly string[];
  readonly mmprojPath: string | null;
  readonly mmprojBytes: number;
  /** All parts, without the projector. */
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly source: ModelSource;
  readonly builtin: boolean;
  /** `org/name` on the Hub, where it is known to come from there. */
  readonly repo: string | null;
  /** Null where the file cannot be used: `error` says why. */
  readonly facts: GgufFacts | null;
  readonly error: AppErrorData | null;
}

/** One of the three is set. An update may be another file under the same name: compare `path`. */
export interface ModelChange {
  added?: Model;
  updated?: Model;
  removed?: string;
}

// A model as everyone else sees it. Who makes it from files is library.ts.

import { AppError, type AppErrorData } from "../errors.ts";
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
  /** An imported file that is not there now; what is known of it is from when it was. */
  readonly isMissing: boolean;
}

/** For who asks for a model whose file is gone. */
export function modelMissing({ id, path }: Pick<Model, "id" | "path">): AppError {
  return new AppError(
    "model_missing",
    `Cannot use ${JSON.stringify(id)}: its file is not at ${
      JSON.stringify(path)
    } any more. Plug in the drive that it was on, or bring the file back, and ask again; or remove the model from the list`,
    { values: { model: id, path } },
  );
}

/** One of the three is set. An update may be another file under the same name: compare `path`. */
export interface ModelChange {
  added?: Model;
  updated?: Model;
  removed?: string;
}

// The model that a request names, or the error that lists what there is.

import { AppError } from "../errors.ts";
import type { Model } from "../models/library.ts";
import type { Parts } from "./parts.ts";

/** Throws `model_not_found` or `model_required`; a file that was copied in just now is waited for. */
export function findModel(parts: Parts, name: string | null): Model | Promise<Model> {
  try {
    return parts.library.resolve(name);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return parts.library.upToDate().then(() => parts.library.resolve(name));
  }
}

// The error of a call that must fail, to be looked at.

import assert from "node:assert/strict";
import { AppError } from "../../src/errors.ts";

/** The AppError that `action` throws. */
export function failure(action: () => unknown): AppError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    return error;
  }
  throw new Error("Nothing was thrown");
}

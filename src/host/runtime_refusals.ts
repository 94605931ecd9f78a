// Why a change of the builds is refused, and what to do instead: its sentences, and the reason that
// programs and the page read.

import type { AvailableRuntime } from "../api_types.ts";
import { AppError, messageOf } from "../errors.ts";

export function refused(
  why: string,
  { message, values }: { message: string; values: Record<string, string | number> },
): AppError {
  return new AppError("runtime_refused", message, { values: { ...values, reason: why } });
}

export function tooOldOrBroken(name: string, reason: string, cause?: unknown): AppError {
  return new AppError("runtime_refused", `Cannot use "${name}": ${reason}`, {
    values: { name, reason: "unusable" },
    cause,
  });
}

export function busy(variant: string): AppError {
  return refused("busy", {
    message: `Cannot change the builds while "${variant}" is installed. Wait until that is done, ` +
      "or end it with zombiecoder runtime cancel",
    values: { variant },
  });
}

export function busyElsewhere(): AppError {
  return refused("busy", {
    message: "Cannot change the builds: another process installs llama.cpp. " +
      "Try again when that is done",
    values: {},
  });
}

/** Its disk may be full or closed to us, its place taken by something else. */
export function homeUnusable(
  action: "read" | "write in",
  { path, error }: { path: string; error: unknown },
): AppError {
  return new AppError(
    "folder_unusable",
    `Cannot ${action} the runtime home "${path}": ${messageOf(error)}. ` +
      "Correct that or choose another folder with --runtime-home",
    { values: { path }, cause: error },
  );
}

export function tooLate(variant: string): AppError {
  return refused("too_late", {
    message: `Cannot cancel "${variant}": it is installed already, and takes its place now. ` +
      "Use another build when that is done, then remove it",
    values: { variant },
  });
}

/** `variant` is what was to be cancelled; null where none was named. */
export function notInstalling(variant: string | null): AppError {
  const name = variant?.slice(0, 40) ?? null;
  return refused("not_installing", {
    message: name === null
      ? "Cannot cancel: nothing is being installed. zombiecoder runtime list shows what is here"
      : `Cannot cancel "${name}": it is not being installed. ` +
        "zombiecoder runtime list shows what is",
    values: name === null ? {} : { variant: name },
  });
}

export function noSuchBuild(name: string): AppError {
  const shown = name.slice(0, 100);
  return new AppError(
    "runtime_not_found",
    `Cannot find the llama.cpp build "${shown}". zombiecoder runtime list shows them`,
    { values: { name: shown } },
  );
}

/** The one that was asked for, or the recommended one. */
export function offerFor(
  variant: string | null,
  offers: readonly AvailableRuntime[],
): AvailableRuntime {
  const offer = variant === null
    ? offers.find(({ recommended }) => recommended)
    : offers.find((each) => each.variant === variant);
  if (offer !== undefined) return offer;
  const known = offers.map((each) => each.variant).join(", ") || "none";
  if (variant === null) {
    throw refused("nothing_better", {
      message: "Cannot choose what to install: for this computer nothing is better than what is " +
        `here. Name one of: ${known}`,
      values: {},
    });
  }
  throw new AppError(
    "runtime_not_found",
    `Cannot install "${variant.slice(0, 40)}": there is no such build for this computer. ` +
      `Choose one of: ${known}`,
    { values: { name: variant.slice(0, 40) } },
  );
}

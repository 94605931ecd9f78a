// Shows a page to the user of this computer: in a window of its own, else in their browser.

import { reachable } from "../../addresses.ts";
import { AppError } from "../../errors.ts";
import { within } from "../../within.ts";
import { appFolder } from "./app_folder.ts";
import { showAppWindow } from "./app_window.ts";
import { browserPaths, type DesktopPlaces, hasDesktop, openers } from "./browsers.ts";
import { startAlone } from "../start_alone.ts";

export interface ShowPageOptions {
  home: string;
  runtimeHome: string;
  places: DesktopPlaces;
}

/** Flags for the browser of the window, with spaces between them: for tests and developers. */
const FLAGS = "ZOMBIE_APP_BROWSER_FLAGS";
/** One that has not failed by then shows the page, or is the browser itself. */
const OPENER_LIMIT_MS = 5_000;

/**
 * `front`: its window was open already; `browser`: the user's own browser was told. Throws
 * `not_supported` where nothing can show it.
 */
export async function showPage(
  given: string,
  { home, runtimeHome, places }: ShowPageOptions,
): Promise<"opened" | "front" | "browser"> {
  const address = new URL(reachable(given)).href;
  if (!hasDesktop(places)) {
    throw cannot(address, "there is no desktop here", "Open");
  }
  const env = environmentOf(places);
  const shown = await showAppWindow({
    address,
    folder: appFolder({ home, runtimeHome }),
    browsers: browserPaths(places),
    env,
    flags: (places.env[FLAGS] ?? "").split(/\s+/).filter((flag) => flag !== ""),
  });
  if (shown !== null) return shown;
  for (const [program, ...args] of openers(address, places)) {
    if (await opens(program, args, env)) return "browser";
  }
  throw cannot(address, "no browser was found that would", "Install one, or open");
}

/** Without what is secret, and what is ours alone. */
function environmentOf({ env }: DesktopPlaces): Record<string, string> {
  const kept = Object.entries(env).filter(([name, value]) =>
    value !== undefined && !name.startsWith("ZOMBIE_") && name !== "HF_TOKEN"
  );
  return Object.fromEntries(kept) as Record<string, string>;
}

async function opens(
  program: string,
  args: string[],
  env: Record<string, string>,
): Promise<boolean> {
  const child = startAlone(program, { args, env });
  if (child === null) return false;
  const status = await within(child.status, OPENER_LIMIT_MS);
  return status === null || status.success;
}

function cannot(address: string, why: string, what: string): AppError {
  return new AppError(
    "not_supported",
    `Cannot open a window: ${why}. ${what} ${address} in a browser`,
    { values: { address } },
  );
}

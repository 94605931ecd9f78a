// The private folder of the dashboard's own window: its browser's profile, the pipes to it, and the lock
// of whoever opens it. It lies where the server cannot write: what is in a profile runs in the browser.

import { join } from "node:path";
import { AppError, messageOf } from "../../errors.ts";
import { realPlace } from "../../real_place.ts";
import { nameHash } from "../socket_folder.ts";

const LOCK_LOOK_MS = 50;
/** A browser that starts for the first time on a slow disk takes that long. */
const LOCK_LIMIT_MS = 60_000;

/** Two servers with different homes have two windows. */
export function appFolder({ home, runtimeHome }: { home: string; runtimeHome: string }): string {
  return join(runtimeHome, "app", nameHash(realPlace(home)));
}

/** Makes it, ours alone. Throws `folder_unusable`. */
export function prepareAppFolder(folder: string): void {
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { isDirectory, uid, mode } = Deno.lstatSync(folder);
    if (!isDirectory || (uid !== null && uid !== Deno.uid())) {
      throw new Error("it is not a folder of this user");
    }
    if (mode !== null && Deno.build.os !== "windows") Deno.chmodSync(folder, 0o700);
  } catch (error) {
    throw new AppError(
      "folder_unusable",
      `Cannot keep the window's profile in "${folder}": ${messageOf(error)}. Choose another ` +
        "folder with --runtime-home",
      { cause: error, values: { path: folder } },
    );
  }
}

/** One opens at a time; the system frees the lock of one that ends, however it ends. */
export async function lockAppFolder(folder: string): Promise<Disposable> {
  const file = Deno.openSync(join(folder, "lock"), { create: true, read: true, write: true });
  const endMs = performance.now() + LOCK_LIMIT_MS;
  while (!file.tryLockSync(true)) {
    if (performance.now() > endMs) {
      file.close();
      throw new AppError(
        "not_supported",
        "Cannot open a window: another start is still opening one. Try again when it has ended",
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOCK_LOOK_MS));
  }
  return { [Symbol.dispose]: () => file.close() };
}

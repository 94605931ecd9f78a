// The server as a process of its own, for commands that need one: whether it runs, starting it so that
// it outlives the command, ending it.

import { dirname, join, resolve } from "node:path";
import type { Config } from "../config_type.ts";
import { AppError, messageOf } from "../errors.ts";
import { SETTINGS } from "../settings.ts";
import { within } from "../within.ts";
import { BUNDLE_FLAGS, isBundled, workerModule } from "./program_files.ts";
import { readServerNote, type ServerNote } from "./server_lock.ts";
import { ALONE } from "./start_alone.ts";

export interface DetachedServerOptions {
  config: Config;
  /** The address of `main.ts`. */
  program: string;
  /** The settings' flags as they were given to this program. */
  flags: ReadonlyMap<string, string | readonly string[]>;
}

/** The variable that names the file of a `StartReport`; main.ts writes it. */
const START_REPORT = "ZOMBIE_START_REPORT";
/** Where a first start has to write a key, make folders and so on: seconds, on a slow disk. */
const START_LIMIT_MS = 60_000;
/** So long another start may take from its lock to its note. */
const OTHER_LIMIT_MS = 20_000;
const LOOK_MS = 25;

/**
 * The note of the server that holds this home's lock. A note alone says nothing: one that was killed
 * leaves it, and another program may listen there by now.
 */
export function runningServer(home: string): ServerNote | null {
  const note = readServerNote(home);
  return note !== null && isLocked(home) ? note : null;
}

/**
 * What `serve` returns, or the note of the server that runs with this home, even one that is only just
 * starting.
 */
export async function serveOrFind(
  home: string,
  serve: () => Promise<number>,
): Promise<number | ServerNote> {
  const running = runningServer(home);
  if (running !== null) return running;
  try {
    return await serve();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "already_running") throw error;
    const other = await runningSoon(home);
    if (other === null) throw error;
    return other;
  }
}

/** Resolves when it listens. Throws with the words in which the server itself refused to start. */
export async function startDetached(options: DetachedServerOptions): Promise<ServerNote> {
  const { config } = options;
  // Its output goes nowhere: a warning of the runtime's own into a broken pipe ends the process. What it has to say from its start on, it says in its log.
  using report = new StartReport();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...await programArgs(options), "serve", ...settingFlags(options)],
    // A folder that is always there: another one could not be removed, or its drive taken out.
    cwd: dirname(Deno.execPath()),
    env: {
      DENO_NO_UPDATE_CHECK: "1",
      [START_REPORT]: report.path,
      // Its file's path may count from the folder in which we were started.
      ...(config.apiKey !== null && { ZOMBIE_API_KEY: config.apiKey }),
    },
    ...ALONE,
  }).spawn();
  child.unref();
  const status = await within(readyOrEnded(config.home, child), START_LIMIT_MS);
  if (status !== null && "address" in status) return status;
  if (status === null) throw notStarted("it is not ready after a minute");
  // Another command may have been quicker.
  const other = await runningSoon(config.home);
  if (other !== null) return other;
  const line = report.read();
  if (line === null) throw notStarted(`it ended with ${status.code}`);
  throw new AppError(status.code === 2 ? "bad_flag" : "server_unreachable", line);
}

async function readyOrEnded(
  home: string,
  child: Deno.ChildProcess,
): Promise<ServerNote | Deno.CommandStatus> {
  while (true) {
    const status = await within(child.status, LOOK_MS);
    if (status !== null) return status;
    const note = runningServer(home);
    if (note?.pid === child.pid) return note;
  }
}

/** Asks it to end as Ctrl-C does; resolves when it has. False where none runs. */
export async function endServer(home: string): Promise<boolean> {
  const note = runningServer(home);
  if (note === null) return false;
  try {
    Deno.kill(note.pid, Deno.build.os === "windows" ? "SIGINT" : "SIGTERM");
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new AppError(
        "server_unreachable",
        `Cannot stop the server: its process ${note.pid} belongs to another user`,
        { cause: error },
      );
    }
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  while (isLocked(home)) await pause(LOOK_MS);
  return true;
}

/** By which Deno starts the program, as far as it was not made one with it. */
export async function programArgs(
  { program }: Pick<DetachedServerOptions, "program">,
): Promise<string[]> {
  // `Deno.execPath()` is the program itself then.
  if (Deno.build.standalone) return [];
  if (isBundled()) return ["run", ...BUNDLE_FLAGS, program];
  // As `deno task start` does: the server itself runs from the cache alone.
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", program, workerModule("server")],
    env: { DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    const why = new TextDecoder().decode(stderr).trim().split("\n").at(-1) ?? "";
    throw new AppError("server_unreachable", `Cannot fetch what the server is made of: ${why}`);
  }
  const run = ["run", "-A", "--no-prompt", "--quiet", "--cached-only", "--no-code-cache"];
  return [...run, program];
}

/** Exported for tests. Paths as they were understood here: the server starts in another folder. */
export function settingFlags(
  { config, flags }: Pick<DetachedServerOptions, "config" | "flags">,
): string[] {
  const args = ["--no-open"];
  for (const { name, property, flag, secret, kind } of SETTINGS) {
    const source = config.sources[property];
    // What is secret is in the environment, not among arguments that every user can list.
    if (flag === null || secret === true || kind.placeholder === null) continue;
    const isPath = kind.placeholder === "DIR" || kind.placeholder === "PATH";
    const given = isPath && source !== "default" ? config[property] : flags.get(name);
    const values = Array.isArray(given)
      ? given
      : given === undefined || given === null
      ? []
      : [given];
    for (const value of values) args.push(`--${flag}=${value}`);
  }
  return args;
}

function isLocked(home: string): boolean {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(join(home, "run", "lock"), { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new AppError(
      "folder_unusable",
      `Cannot read "${home}": ${messageOf(error)}. Choose another folder with --home`,
      { cause: error, values: { path: home } },
    );
  }
  try {
    return !file.tryLockSync(false);
  } finally {
    // Unlocks it, too.
    file.close();
  }
}

async function runningSoon(home: string): Promise<ServerNote | null> {
  const endMs = performance.now() + OTHER_LIMIT_MS;
  while (true) {
    const note = runningServer(home);
    if (note !== null || !isLocked(home) || performance.now() > endMs) return note;
    await pause(LOOK_MS);
  }
}

function notStarted(why: string): AppError {
  return new AppError(
    "server_unreachable",
    `Cannot start the server: ${why}. Run zombiecoder serve to see more`,
  );
}

/** A file of this user in which a server that cannot start says why, in one line. */
class StartReport implements Disposable {
  readonly path = makeReport();

  read(): string | null {
    return Deno.readTextFileSync(this.path).trim() || null;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}

function makeReport(): string {
  const options = { prefix: "zombiecoder-" };
  try {
    return resolve(Deno.makeTempFileSync(options));
  } catch (error) {
    // TMPDIR may name a folder that is not there.
    if (Deno.build.os === "windows") throw error;
    return Deno.makeTempFileSync({ ...options, dir: "/tmp" });
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

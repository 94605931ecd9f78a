// The dashboard in a window of its own: an installed browser in its app mode, with a profile of its own.
// A window that is open is brought to the front instead.

import { basename, join } from "node:path";
import { AppError } from "../../errors.ts";
import { within } from "../../within.ts";
import { runCommand } from "../probes/run_command.ts";
import { runPowershell } from "../probes/powershell.ts";
import { signalGroup } from "../process_group.ts";
import { startAlone } from "../start_alone.ts";
import { lockAppFolder, prepareAppFolder } from "./app_folder.ts";
import { BrowserPipe, PIPE_NAMES, type Target } from "./browser_pipe.ts";

export interface AppWindowOptions {
  /** `http://127.0.0.1:8001/` */
  address: string;
  folder: string;
  /** Those to try, by absolute paths. */
  browsers: readonly string[];
  /** The whole environment of the browser. */
  env: Readonly<Record<string, string>>;
  /** More flags for the browser; for developers. */
  flags: readonly string[];
}

/** So long a browser may take until it shows the page, before it is believed to do so. */
const SHOWN_LIMIT_MS = 30_000;
/** Where it cannot be asked, one that cannot start has ended by then. */
const FAILED_LIMIT_MS = 1_500;
/** A browser whose last window was closed ends within that, and one that starts has its page. */
const SETTLED_LIMIT_MS = 5_000;
/** A browser that runs that long has long begun to answer, if it ever does. */
const STARTED_LIMIT_MS = 60_000;
/** A second process hands the page over to the one that runs, and ends. */
const HANDED_OVER_LIMIT_MS = 10_000;
const LOOK_MS = 25;

/**
 * `front`: it was open already. Null where no browser would do it. Throws `not_supported` where the one that
 * runs does not answer any more.
 */
export async function showAppWindow(options: AppWindowOptions): Promise<"opened" | "front" | null> {
  const { folder } = options;
  prepareAppFolder(folder);
  using _lock = await lockAppFolder(folder);
  const found = Deno.build.os === "windows"
    ? await toFrontOnWindows(folder) ? "front" : "ended"
    : await toFront(options);
  if (found === "front") return "front";
  if (found === "closed") {
    const noted = await readNote(folder);
    return noted === null ? null : await openAnother(noted, options);
  }
  for (const program of options.browsers) {
    if (await canBeUsed(program) && await openFirst(program, options)) return "opened";
  }
  return null;
}

/**
 * `ended`: no browser of ours runs. `closed`: it runs without a window of ours, as on macOS, or with one
 * of another site.
 */
async function toFront(
  { folder, address }: AppWindowOptions,
): Promise<"front" | "closed" | "ended"> {
  using pipe = await BrowserPipe.open(folder);
  if (pipe === null) return "ended";
  const isOld = await noteAgeMs(folder) > STARTED_LIMIT_MS;
  let endMs = performance.now() + SHOWN_LIMIT_MS;
  while (performance.now() < endMs) {
    const pages = await pipe.pages();
    const page = pages?.find(({ url }) => isAt(url, address)) ??
      pages?.find(({ url }) => isLocal(url));
    if (page !== undefined && await raise(pipe, page, address)) return "front";
    // Its last window was closed a moment ago: it is about to end.
    if (pipe.hasEnded) return "ended";
    // One that answers is on its way to the page, or has none.
    if (pages !== null) endMs = Math.min(endMs, performance.now() + SETTLED_LIMIT_MS);
    // It hangs, or its owner forbids that it be talked to.
    else if (isOld) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return "closed";
}

async function raise(pipe: BrowserPipe, page: Target, address: string): Promise<boolean> {
  // A server that was started again may have another port.
  if (!isAt(page.url, address)) await navigate(pipe, page, address);
  const { targetId } = page;
  const placed = await pipe.call<{ windowId: number; bounds: { windowState?: string } }>(
    "Browser.getWindowForTarget",
    { targetId },
  );
  if (placed?.bounds.windowState === "minimized") {
    const { windowId } = placed;
    await pipe.call("Browser.setWindowBounds", { windowId, bounds: { windowState: "normal" } });
  }
  return await pipe.call("Target.activateTarget", { targetId }) !== null;
}

async function navigate(pipe: BrowserPipe, { targetId }: Target, url: string): Promise<void> {
  const attached = await pipe.call<{ sessionId: string }>("Target.attachToTarget", {
    targetId,
    flatten: true,
  });
  if (attached === null) return;
  const { sessionId } = attached;
  await pipe.call("Page.navigate", { url }, sessionId);
  await pipe.call("Target.detachFromTarget", { sessionId });
}

/** False where it ended without showing anything. */
async function openFirst(program: string, options: AppWindowOptions): Promise<boolean> {
  const { folder } = options;
  const child = start(program, options, Deno.build.os === "windows" ? "alone" : "with pipes");
  if (child === null) return false;
  note(folder, { program, pid: child.pid });
  const isWindows = Deno.build.os === "windows";
  const endMs = performance.now() + (isWindows ? FAILED_LIMIT_MS : SHOWN_LIMIT_MS);
  while (performance.now() < endMs) {
    const status = await within(child.status, LOOK_MS);
    // One that ended well gave the page to one that runs.
    if (status !== null) return status.success;
    if (!isWindows && await showsPage(options)) return true;
  }
  // One that lives on shows it: what its owner forbids is only that it be talked to.
  return true;
}

async function showsPage({ folder, address }: AppWindowOptions): Promise<boolean> {
  using pipe = await BrowserPipe.open(folder);
  const pages = await pipe?.pages() ?? [];
  return pages.some(({ url }) => isAt(url, address));
}

async function openAnother(
  { program, pid }: Note,
  options: AppWindowOptions,
): Promise<"opened" | null> {
  const child = start(program, options, "alone");
  if (child === null) return null;
  const status = await within(child.status, HANDED_OVER_LIMIT_MS);
  if (status !== null) return status.success ? "opened" : null;
  // It waits for the one that runs, and would end that one by and by, with whatever its user does there.
  signalGroup(child, "SIGKILL");
  await child.status;
  throw new AppError(
    "not_supported",
    `Cannot open a window: the browser of the one before does not answer. End its process ${pid} and ` +
      "try again",
    { values: { pid } },
  );
}

/**
 * The pipes become the browser's file descriptors 3 and 4, for both directions: opened so, they wait for
 * nobody, and no end of them is missing while the browser lives.
 */
const WITH_PIPES = 'umask 077; in=$1 out=$2; shift 2; rm -f "$in" "$out"; ' +
  'mkfifo "$in" "$out" && exec "$@" 3<>"$in" 4<>"$out"';

function start(
  program: string,
  { address, folder, env, flags }: AppWindowOptions,
  how: "with pipes" | "alone",
): Deno.ChildProcess | null {
  const args = [
    `--user-data-dir=${join(folder, "profile")}`,
    "--no-first-run",
    "--no-default-browser-check",
    // Nothing of it stays when its window is closed, and nothing of it asks anybody anything.
    "--disable-background-mode",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    ...flags,
  ];
  const pipes = [join(folder, PIPE_NAMES.input), join(folder, PIPE_NAMES.output)];
  const [path, ...all] = how === "alone" ? [program, ...args, `--app=${address}`] : [
    "/bin/sh",
    ...["-c", WITH_PIPES, "sh", ...pipes],
    ...[program, ...args, "--remote-debugging-pipe", `--app=${address}`],
  ];
  // Not in the user's folder: that one could not be removed, nor its drive taken out.
  return startAlone(path!, { args: all, env, cwd: folder });
}

async function canBeUsed(program: string): Promise<boolean> {
  try {
    // A browser in a snap may not enter a folder whose name begins with a dot.
    return basename(await Deno.realPath(program)) !== "snap" && (await Deno.stat(program)).isFile;
  } catch {
    return false;
  }
}

interface Note {
  program: string;
  pid: number;
}

const NOTE = "browser.json";

function note(folder: string, noted: Note): void {
  Deno.writeTextFileSync(join(folder, NOTE), JSON.stringify(noted));
}

async function noteAgeMs(folder: string): Promise<number> {
  try {
    const { mtime } = await Deno.stat(join(folder, NOTE));
    return mtime === null ? 0 : Date.now() - mtime.getTime();
  } catch {
    return 0;
  }
}

async function readNote(folder: string): Promise<Note | null> {
  try {
    const noted = JSON.parse(await Deno.readTextFile(join(folder, NOTE)));
    return typeof noted?.program === "string" && Number.isSafeInteger(noted.pid) ? noted : null;
  } catch {
    return null;
  }
}

/** There are no named pipes to a browser there; its process has the window. */
async function toFrontOnWindows(folder: string): Promise<boolean> {
  const noted = await readNote(folder);
  if (noted === null) return false;
  const name = basename(noted.program, ".exe");
  if (!/^\w+$/.test(name)) return false;
  const script = `$p = Get-Process -Id ${noted.pid} -ErrorAction Stop; ` +
    `if ($p.ProcessName -ne '${name}') { exit 1 }; ` +
    `if (-not (New-Object -ComObject WScript.Shell).AppActivate(${noted.pid})) { exit 1 }`;
  return await runPowershell(runCommand, script) !== null;
}

function isAt(url: string, address: string): boolean {
  return URL.parse(url)?.origin === new URL(address).origin;
}

function isLocal(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed?.protocol === "http:" && /^(127\.|\[::1\]|localhost$)/.test(parsed.hostname);
}

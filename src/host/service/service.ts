// `zombiecoder service`: the server as a service of this user, by what this system has for that.

import { fileURLToPath } from "node:url";
import { AppError } from "../../errors.ts";
import { absolutePath, type LoadedConfig, type ProcessInput } from "../../config.ts";
import { SETTINGS } from "../../settings.ts";
import { programArgs, runningServer } from "../detached_server.ts";
import { runProgram, type RunResult } from "../run_program.ts";
import { LaunchdService } from "./launchd.ts";
import type { ServicePlaces, ServiceStatus, ServiceSystem } from "./service_parts.ts";
import { serviceSettings } from "./service_settings.ts";
import { SystemdService } from "./systemd.ts";
import { TaskSchedulerService } from "./task_scheduler.ts";

export interface ServiceOptions {
  loaded: LoadedConfig;
  process: ProcessInput;
  /** The address of `main.ts`. */
  program: string;
}

/** As it is, and whether it can start. */
export interface FoundService extends Pick<ServiceStatus, "enabled" | "running" | "path"> {
  /** That of the server which it starts; null where its settings do not say. */
  home: string | null;
  /** Where a server with that home answers; null where none does. */
  address: string | null;
  /** What it starts, where that is not there any more. */
  gone: string | null;
}

export interface InstalledService {
  status: FoundService;
  /** False: a server that runs already was left alone, and the service starts with its user. */
  started: boolean;
  /** Null where the server does not answer yet. */
  address: string | null;
  /** Variables with secrets that the service does not have. */
  leftOut: string[];
  /** The program that it starts, where that lies in a cache which may be cleaned. */
  cached: string | null;
}

/** A service's end may wait for answers, a minute at most. */
const TOOL_LIMIT_MS = 120_000;
const READY_LIMIT_MS = 60_000;
const LOOK_MS = 50;
const HOME_FLAG = "--home=";

export async function installService(options: ServiceOptions): Promise<InstalledService> {
  const { home } = options.loaded.config;
  const { process, program } = options;
  const system = systemOf(process);
  const { args, env, leftOut } = serviceSettings({ ...options.loaded, process });
  const before = await found(system, process);
  // One that is this home's server is started again with what is said now.
  const start = before?.running === true && before.home === home || runningServer(home) === null;
  await system.install({
    program: Deno.execPath(),
    args: [...await programArgs({ program }), ...args],
    env: { ...programEnvironment(process), ...env },
  }, { start });
  const address = start ? await readyAddress(home) : null;
  const status = await found(system, process);
  if (status === null) throw new AppError("not_supported", "Cannot find the service again");
  return {
    status,
    started: start,
    address,
    // A task of Windows has no environment of its own.
    leftOut: process.os === "windows" ? [...leftOut, ...Object.keys(env)] : leftOut,
    cached: isCached(Deno.execPath()) ? Deno.execPath() : null,
  };
}

/** False where none of ours is installed. */
export async function removeService(options: ServiceOptions): Promise<boolean> {
  const system = systemOf(options.process);
  if (await system.status() === null) return false;
  await system.remove();
  return true;
}

/** Null where none of ours is installed. */
export async function serviceStatus(options: ServiceOptions): Promise<FoundService | null> {
  return await found(systemOf(options.process), options.process);
}

/** Exported for tests. `npx` keeps what it runs for as long as nobody cleans up. */
export function isCached(program: string): boolean {
  return program.split(/[\\/]/).includes("_npx");
}

async function found(system: ServiceSystem, process: ProcessInput): Promise<FoundService | null> {
  const status = await system.status();
  if (status === null) return null;
  const { words, ...facts } = status;
  const home = homeIn(words, process);
  const address = home === null ? null : runningServer(home)?.address ?? null;
  const shown = { ...facts, home, address };
  // Deno, and the script that it runs.
  for (const word of [words[0], words[words.indexOf("serve") - 1]]) {
    if (word !== undefined && !(await isThere(word))) return { ...shown, gone: pathOf(word) };
  }
  return { ...shown, gone: null };
}

/** What it was told, else what it finds without being told. */
function homeIn(words: readonly string[], process: ProcessInput): string | null {
  const at = words.indexOf("serve");
  if (at < 0) return null;
  const told = words.slice(at + 1).findLast((word) => word.startsWith(HOME_FLAG));
  if (told !== undefined) return told.slice(HOME_FLAG.length);
  // Neither a variable nor a file has a say there.
  const { fallback } = SETTINGS.find(({ property }) => property === "home")!;
  return process.homeDir === null ? null : absolutePath(String(fallback), process);
}

/** Links as what they lead to. What cannot be looked at may be there. */
async function isThere(word: string): Promise<boolean> {
  try {
    return (await Deno.stat(pathOf(word))).isFile;
  } catch (error) {
    const { NotADirectory, NotFound } = Deno.errors;
    return !(error instanceof NotFound || error instanceof NotADirectory);
  }
}

function pathOf(word: string): string {
  return word.startsWith("file:") ? fileURLToPath(word) : word;
}

async function readyAddress(home: string): Promise<string | null> {
  const endMs = performance.now() + READY_LIMIT_MS;
  while (performance.now() < endMs) {
    const running = runningServer(home);
    if (running !== null) return running.address;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return null;
}

function systemOf(places: ServicePlaces): ServiceSystem {
  const run = runTool;
  if (places.os === "windows") return new TaskSchedulerService({ places, run });
  if (places.os === "darwin") return new LaunchdService({ places, run, uid: Deno.uid() ?? 0 });
  return new SystemdService({ places, run });
}

/** Where what the program is made of was found. */
function programEnvironment({ env }: ProcessInput): Record<string, string> {
  if (Deno.build.standalone) return {};
  return {
    DENO_NO_UPDATE_CHECK: "1",
    ...env.DENO_DIR !== undefined && { DENO_DIR: env.DENO_DIR },
  };
}

function runTool(path: string, args: readonly string[]): Promise<RunResult> {
  // It finds the user's session by the environment; what it says is read in English alone.
  const environment = { LC_ALL: "C" };
  return runProgram(path, args, { inherit: true, environment, timeoutMs: TOOL_LIMIT_MS });
}

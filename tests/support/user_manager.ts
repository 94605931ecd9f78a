// A manager of a user's services as their session has it: systemd's own, private to one test. It sees a
// machine that systemd has started, and has a group of processes of its own. Only the system's own user
// may have that beside the session's.

import { join } from "node:path";
import { within } from "../../src/within.ts";
import { until } from "./server_process.ts";
import { TempFolder } from "./temp_folder.ts";

const START = 'echo $$ > "$1/cgroup.procs" && mount -t tmpfs none /run && ' +
  "mkdir -p /run/systemd/system && exec /lib/systemd/systemd --user";

export class UserManager implements AsyncDisposable {
  /** What a program of this user finds in its environment. */
  readonly env: Record<string, string>;
  readonly #child: Deno.ChildProcess;
  readonly #folder: TempFolder;
  readonly #group: string;

  private constructor(
    parts: { child: Deno.ChildProcess; folder: TempFolder; group: string },
    env: Record<string, string>,
  ) {
    this.#child = parts.child;
    this.#folder = parts.folder;
    this.#group = parts.group;
    this.env = env;
  }

  static async start(homeDir: string): Promise<UserManager> {
    const folder = await TempFolder.make();
    const group = await Deno.makeTempDir({ dir: await groups(), prefix: "zombie-test-" });
    const env = {
      PATH: Deno.env.get("PATH") ?? "",
      HOME: homeDir,
      XDG_RUNTIME_DIR: folder.path,
      XDG_CONFIG_HOME: join(homeDir, ".config"),
    };
    const child = new Deno.Command("unshare", {
      args: ["--mount", "--propagation", "private", "/bin/sh", "-c", START, "sh", group],
      // What it says of what else a session has is none of the test's.
      env: { ...env, SYSTEMD_LOG_TARGET: "null" },
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const manager = new UserManager({ child, folder, group }, env);
    try {
      await until(() => manager.#answers(), 30_000);
      return manager;
    } catch (error) {
      await manager[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch (error) {
      // It could not start.
      if (!(error instanceof TypeError)) throw error;
    }
    if (await within(this.#child.status, 30_000) === null) {
      this.#child.kill("SIGKILL");
      await this.#child.status;
    }
    await until(() => isRemoved(this.#group), 30_000);
    await this.#folder[Symbol.asyncDispose]();
  }

  async #answers(): Promise<boolean> {
    const { code } = await new Deno.Command("systemctl", {
      args: ["--user", "show-environment"],
      env: this.env,
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return code === 0;
  }
}

/** Where the system keeps groups of processes by their names. */
async function groups(): Promise<string> {
  for (const path of ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"]) {
    try {
      await Deno.stat(join(path, "cgroup.procs"));
      return path;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error("This system has no groups of processes");
}

/** A group is removed as an empty folder is, and only when nothing in it lives. */
function isRemoved(group: string): boolean {
  try {
    for (const { name, isDirectory } of Deno.readDirSync(group)) {
      if (isDirectory && !isRemoved(join(group, name))) return false;
    }
    Deno.removeSync(group);
    return true;
  } catch (error) {
    // The manager may have removed it; else something still lives.
    return error instanceof Deno.errors.NotFound;
  }
}

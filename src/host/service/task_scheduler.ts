// A service of this user as a task of Windows. Not seen working.

import { win32 } from "node:path";
import { AppError } from "../../errors.ts";
import { MARK, type ServiceSpec } from "./service_spec.ts";
import { failed } from "./service_failure.ts";
import type { RunTool, ServicePlaces, ServiceStatus, ServiceSystem } from "./service_parts.ts";
import { TASK_NAME, utf16File, windowsTask, windowsWords } from "./windows_task.ts";

export interface TaskSchedulerOptions {
  places: ServicePlaces;
  run: RunTool;
}

/** What Windows calls the states of a task, in every language. */
const DISABLED = 1;
const RUNNING = 4;

export class TaskSchedulerService implements ServiceSystem {
  readonly #user: string;
  readonly #run: RunTool;
  readonly #folder: string;

  constructor({ places, run }: TaskSchedulerOptions) {
    this.#user = `${places.env["USERDOMAIN"] ?? "."}\\${places.env["USERNAME"] ?? ""}`;
    this.#run = run;
    this.#folder = win32.join(places.env["SystemRoot"] ?? "C:\\Windows", "System32");
  }

  async status(): Promise<ServiceStatus | null> {
    const { code, stdout } = await this.#schtasks("/Query", "/TN", TASK_NAME, "/XML");
    if (code !== 0) return null;
    // It may come in two bytes a sign.
    const task = stdout.replaceAll("\0", "");
    if (!task.includes(MARK)) {
      throw new AppError(
        "not_supported",
        `Cannot use the task "${TASK_NAME}": it was not made by zombiecoder. Remove it and try again`,
      );
    }
    const powershell = win32.join(this.#folder, "WindowsPowerShell", "v1.0", "powershell.exe");
    const script = `[int](Get-ScheduledTask -TaskName '${TASK_NAME}').State`;
    const args = ["-NoLogo", "-NoProfile", "-NonInteractive", "-Command", script];
    const state = Number((await this.#run(powershell, args)).stdout.trim());
    return {
      enabled: state !== DISABLED,
      running: state === RUNNING,
      path: null,
      words: windowsWords(task),
    };
  }

  async install(spec: ServiceSpec, { start }: { start: boolean }): Promise<void> {
    const task = windowsTask(spec, this.#user);
    const before = await this.status();
    // Without `/F` it replaces none: one that cannot be read may be anybody's.
    const replacing = before === null ? [] : ["/F"];
    const path = await Deno.makeTempFile({ prefix: "zombiecoder-", suffix: ".xml" });
    try {
      await Deno.writeFile(path, utf16File(task));
      await this.#must("/Create", "/TN", TASK_NAME, "/XML", path, ...replacing);
    } finally {
      await Deno.remove(path);
    }
    if (!start) return;
    // What runs keeps its old text.
    await this.#schtasks("/End", "/TN", TASK_NAME);
    try {
      await this.#must("/Run", "/TN", TASK_NAME);
    } catch (error) {
      if (before === null) await this.#schtasks("/Delete", "/TN", TASK_NAME, "/F");
      throw error;
    }
  }

  async remove(): Promise<void> {
    if (await this.status() === null) return;
    await this.#schtasks("/End", "/TN", TASK_NAME);
    await this.#must("/Delete", "/TN", TASK_NAME, "/F");
  }

  async #must(...args: string[]): Promise<void> {
    const { code, stderr } = await this.#schtasks(...args);
    if (code !== 0) throw failed(`do "${args[0]}" for the service`, "schtasks", { said: stderr });
  }

  #schtasks(...args: string[]) {
    return this.#run(win32.join(this.#folder, "schtasks.exe"), args);
  }
}

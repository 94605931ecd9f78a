// A user with a screen and a browser: the program's own window is opened there as they would see it.

import { join } from "node:path";
import { cli, type CliResult } from "./cli.ts";
import { chromiumStart } from "./chromium.ts";
import { environmentOf } from "./instance_processes.ts";
import { isAlive } from "./model_processes.ts";
import { until } from "./server_process.ts";
import { userHome } from "./user_home.ts";
import { XScreen } from "./x_screen.ts";

/** A page as the browser's debugging port tells it. */
export interface ShownPage {
  id: string;
  type: string;
  url: string;
  webSocketDebuggerUrl: string;
}

export interface DesktopUser extends AsyncDisposable {
  readonly home: string;
  readonly runtimeHome: string;
  readonly screen: XScreen;
  readonly env: Record<string, string>;
  zombiecoder(...args: string[]): Promise<CliResult>;
  /** Those that a user sees. */
  pages(): Promise<ShownPage[]>;
  /** Opens a page of another site in the same browser, as a link to one does. */
  openElsewhere(): Promise<void>;
  close(page: ShownPage): Promise<void>;
  /** All that was started in this user's name and lives, but for what asks. */
  processes(): number[];
  /** Those of them that are no helpers of a browser, which begins and ends them as it likes. */
  programs(): number[];
}

/** Everything that carries it was started, by whomever, for this user. */
const MARK = "TEST_DESKTOP_USER";

export async function desktopUser(name: string): Promise<DesktopUser> {
  await using stack = new AsyncDisposableStack();
  const user = stack.use(await userHome(name));
  const screen = stack.use(await XScreen.start());
  const bin = join(user.outside, "bin");
  const temporary = join(user.outside, "tmp");
  await Deno.mkdir(bin);
  await Deno.mkdir(temporary);
  const chromium = await chromiumStart(temporary);
  await Deno.symlink(chromium.path, join(bin, "chromium"));
  const env = {
    ...chromium.env,
    ...user.env,
    PATH: `${bin}:${chromium.env.PATH}`,
    DISPLAY: screen.display,
    // What a session of the machine that runs the tests has is not this user's.
    WAYLAND_DISPLAY: "",
    SSH_CONNECTION: "",
    SSH_TTY: "",
    [MARK]: user.outside,
    ZOMBIE_APP_BROWSER_FLAGS: [...chromium.args, "--remote-debugging-port=0"].join(" "),
  };
  stack.defer(async () => {
    // The browser writes into its profile as long as one of it lives.
    await until(() => {
      const left = processes();
      for (const pid of left) killNow(pid);
      return left.length === 0;
    }, 60_000);
  });
  function processes() {
    return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
      const pid = Number(name);
      if (!Number.isSafeInteger(pid) || !isAlive(pid)) return [];
      // A browser's helpers write their titles over their environment.
      const isOurs = environmentOf(pid).get(MARK) === user.outside ||
        argumentsOf(pid).includes(user.outside);
      return isOurs ? [pid] : [];
    });
  }
  async function ask(what: string, method = "GET"): Promise<Response> {
    const port = await debuggingPort(user.runtimeHome);
    return await fetch(`http://127.0.0.1:${port}/json/${what}`, { method });
  }
  async function tell(what: string): Promise<void> {
    await (await ask(what, "PUT")).body?.cancel();
  }
  const rest = stack.move();
  return {
    home: user.home,
    runtimeHome: user.runtimeHome,
    screen,
    env,
    zombiecoder: (...args) => cli(args, { env }),
    pages: () =>
      until(async () => {
        const targets = await (await ask("list")).json() as ShownPage[];
        const pages = targets.filter(({ type }) => type === "page");
        // One that is on its way has no address for a moment.
        return pages.every(({ url }) => url !== "" && url !== "about:blank") ? pages : null;
      }, 60_000),
    openElsewhere: () => tell("new?data:text/html,<title>Elsewhere</title>"),
    close: ({ id }) => tell(`close/${id}`),
    processes,
    programs: () => processes().filter((pid) => !argumentsOf(pid).includes("--type=")),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

function argumentsOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`);
  } catch {
    // It went meanwhile.
    return "";
  }
}

export function killNow(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    // It ended with the one before.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function debuggingPort(runtimeHome: string): Promise<string> {
  const [folder] = [...Deno.readDirSync(join(runtimeHome, "app"))];
  const path = join(runtimeHome, "app", folder!.name, "profile", "DevToolsActivePort");
  // Its window may be there before.
  return await until(async () => {
    const text = await Deno.readTextFile(path).catch(() => "");
    return /^(\d+)\n/.exec(text)?.[1];
  }, 60_000);
}

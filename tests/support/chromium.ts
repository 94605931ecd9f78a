// Chromium from Debian's package, started for one page or for a whole run of tests.

import { join } from "node:path";
import { within } from "../../src/within.ts";
import { TempFolder } from "./temp_folder.ts";
import { testTool } from "./test_tool.ts";

/** The debugger's address of a browser that is there for all tests: contexts keep them apart. */
export const SHARED_BROWSER = "ZOMBIE_TEST_BROWSER";

export interface ChromiumStart {
  path: string;
  env: Record<string, string>;
  args: string[];
}

/** How to start it so that it leaves nothing outside of `folder`. */
export async function chromiumStart(folder: string): Promise<ChromiumStart> {
  const tool = await testTool("chromium");
  const fonts = join(folder, "fonts.conf");
  await Deno.writeTextFile(fonts, fontsConfig(tool.path, folder));
  return {
    path: tool.path,
    env: {
      ...tool.env,
      PATH: Deno.env.get("PATH") ?? "",
      HOME: folder,
      TMPDIR: folder,
      FONTCONFIG_FILE: fonts,
    },
    args: [
      // Without rights of its own it has no sandbox; it opens nothing but our page.
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      "--disable-background-networking",
      // A proxy of this machine is not for what runs on it.
      "--no-proxy-server",
      "--font-render-hinting=none",
    ],
  };
}

/** One for all: starting one for each test costs more than the tests themselves. */
export class SharedBrowser implements AsyncDisposable {
  /** `ws://127.0.0.1:PORT/...` */
  readonly endpoint: string;
  readonly #child: Deno.ChildProcess;
  readonly #folder: TempFolder;
  /** Ends with the last process that has its stderr: the helpers write to its folder, too. */
  readonly #heard: Promise<void>;

  private constructor(
    endpoint: string,
    { child, heard, folder }: {
      child: Deno.ChildProcess;
      heard: Promise<void>;
      folder: TempFolder;
    },
  ) {
    this.endpoint = endpoint;
    this.#child = child;
    this.#heard = heard;
    this.#folder = folder;
  }

  static async start(): Promise<SharedBrowser> {
    const folder = await TempFolder.make();
    const { path, env, args } = await chromiumStart(folder.path);
    const child = new Deno.Command(path, {
      args: [
        ...args,
        "--headless",
        "--remote-debugging-port=0",
        `--user-data-dir=${join(folder.path, "profile")}`,
        // Pages of several tests are open at the same time: none is the one in front.
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        "--disable-background-timer-throttling",
        "about:blank",
      ],
      env,
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const found = Promise.withResolvers<string>();
    const heard = (async () => {
      let said = "";
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
        said = (said + text).slice(-4_096);
        const endpoint = /DevTools listening on (ws:\S+)\s/.exec(said)?.[1];
        if (endpoint !== undefined) found.resolve(endpoint);
      }
      found.reject(new Error(`Chromium ended before it could be used: ${said}`));
    })();
    return new SharedBrowser(await found.promise, { child, heard, folder });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // With its helpers, which a kill would leave to themselves.
    this.#child.kill("SIGTERM");
    if (await within(this.#child.status, 10_000) === null) {
      this.#child.kill("SIGKILL");
      await this.#child.status;
    }
    await within(this.#heard, 10_000);
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** The fonts that came with it, and those of this machine. */
function fontsConfig(program: string, folder: string): string {
  const own = join(program, "..", "..", "..", "share", "fonts");
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${own}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${join(folder, "fonts")}</cachedir>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>system-ui</family><prefer><family>DejaVu Sans</family></prefer></alias>
</fontconfig>
`;
}

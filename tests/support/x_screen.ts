// A screen that nobody sees, and what is on it as the X server tells it.

import { dirname, join } from "node:path";
import { within } from "../../src/within.ts";
import type { Tool } from "../../bench/tools.ts";
import { until } from "./server_process.ts";
import { TempFolder } from "./temp_folder.ts";
import { testTool } from "./test_tool.ts";

export interface ScreenWindow {
  id: string;
  title: string;
  /** The instance's part of WM_CLASS. */
  instance: string;
}

export class XScreen implements AsyncDisposable {
  /** For the environment: `:7`. */
  readonly display: string;
  readonly #server: Deno.ChildProcess;
  readonly #folder: TempFolder;
  readonly #children: Deno.ChildProcess[] = [];

  private constructor(display: string, server: Deno.ChildProcess, folder: TempFolder) {
    this.display = display;
    this.#server = server;
    this.#folder = folder;
  }

  static async start(): Promise<XScreen> {
    const tool = await testTool("Xvfb");
    const folder = await TempFolder.make();
    const { path, args, cwd } = await atHome(tool, folder.path);
    const server = new Deno.Command(path, {
      // It chooses a number that is free, and tells it.
      args: ["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp", ...args],
      cwd,
      env: { ...tool.env },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let said = "";
    for await (const text of server.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (said.includes("\n")) return new XScreen(`:${said.trim()}`, server, folder);
    }
    await folder[Symbol.asyncDispose]();
    throw new Error(`Xvfb ended with ${(await server.status).code} before it could be used`);
  }

  /** What a user sees, the one in front first. */
  async windows(): Promise<ScreenWindow[]> {
    const text = await until(() =>
      this.#ask("xwininfo", "-root", "-tree").catch((error) => {
        // A window was closed while they were listed.
        if (/Bad (Window|Drawable)/.test(String(error))) return null;
        throw error;
      })
    );
    // A window's own parts are farther to the right; what is a few dots large nobody sees.
    const line = /^ {5}(0x[0-9a-f]+) "(.*)": \((?:"([^"]*)" "[^"]*")?\) {2}(\d+)x(\d+)/gm;
    return [...text.matchAll(line)].filter(([, , , , width, height]) =>
      Number(width) > 100 && Number(height) > 100
    ).map(([, id, title, instance]) => ({ id: id!, title: title!, instance: instance ?? "" }));
  }

  /** Presses keys while this window has the keyboard. */
  async press(id: string, keys: string): Promise<void> {
    await this.#ask("xdotool", "windowfocus", "--sync", id, "key", keys);
  }

  /** Opens a window of another program. */
  async openOther(): Promise<void> {
    const tool = await testTool("xwininfo");
    this.#children.push(
      new Deno.Command(join(dirname(tool.path), "xev"), {
        env: { ...tool.env, DISPLAY: this.display },
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn(),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [...this.#children, this.#server]) {
      child.kill("SIGTERM");
      if (await within(child.status, 10_000) === null) {
        child.kill("SIGKILL");
        await child.status;
      }
    }
    await this.#folder[Symbol.asyncDispose]();
  }

  async #ask(name: "xwininfo" | "xdotool", ...args: string[]): Promise<string> {
    const { path, env } = await testTool(name);
    const { code, stdout, stderr } = await new Deno.Command(path, {
      args,
      env: { ...env, DISPLAY: this.display },
    }).output();
    if (code === 0) return new TextDecoder().decode(stdout);
    throw new Error(`${name} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}

/**
 * How to start it where it lies. It starts xkbcomp by a path that is written in it; where it was not
 * installed but unpacked, a copy of it looks in its working folder.
 */
async function atHome(tool: Tool, folder: string) {
  const bin = dirname(tool.path);
  if (tool.source === "PATH") return { path: tool.path, args: [], cwd: bin };
  const program = Deno.readFileSync(tool.path);
  const at = indexOf(program, "/usr/bin\0");
  program.set(new TextEncoder().encode(".\0"), at);
  const path = join(folder, "Xvfb");
  await Deno.writeFile(path, program, { mode: 0o700 });
  return { path, args: ["-xkbdir", join(bin, "..", "share", "X11", "xkb")], cwd: bin };
}

function indexOf(bytes: Uint8Array, text: string): number {
  const wanted = new TextEncoder().encode(text);
  const at = bytes.findIndex((_, start) =>
    wanted.every((byte, index) => bytes[start + index] === byte)
  );
  if (at === -1) throw new Error(`Cannot find ${JSON.stringify(text)} in Xvfb`);
  return at;
}

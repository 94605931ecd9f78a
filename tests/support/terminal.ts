// A real terminal, by tmux: what is typed arrives as keys, and what is seen is its screen.

import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "./server_process.ts";
import { tempDir } from "./temp_dir.ts";
import { testTool } from "./test_tool.ts";

export interface TerminalOptions {
  columns?: number;
  rows?: number;
  env?: Record<string, string>;
}

export interface TestTerminal extends AsyncDisposable {
  /** Its rows without spaces at their ends; rows that were broken only by the width are one. */
  screen(): Promise<string>;
  /** The screen, and what was scrolled out of it. */
  everything(): Promise<string>;
  /** The same with the colours' sequences. */
  coloured(): Promise<string>;
  /** Letters as they are. */
  type(text: string): Promise<void>;
  /** A line and Enter. */
  enter(line: string): Promise<void>;
  /** tmux's names: `C-c`, `Enter`, `Up`. */
  press(...keys: string[]): Promise<void>;
  /** An empty screen without a history, once the shell asks again. */
  clear(): Promise<void>;
  /** As a terminal hands over what is pasted. */
  paste(text: string): Promise<void>;
  resize(columns: number, rows: number): Promise<void>;
  /** Column of the cursor, from 0. */
  cursor(): Promise<number>;
  /** Waits for the text on the screen; throws with the screen where it does not come. */
  see(wanted: string | RegExp, timeoutMs?: number): Promise<string>;
}

/** Only what never comes is to fail: a computer with other tests on it may be slow. */
const SEE_MS = 60_000;
const ROOT = new URL("../../", import.meta.url);

/** A shell with the prompt `$ ` in which `zombiecoder` is this program. */
export async function startTerminal(options: TerminalOptions = {}): Promise<TestTerminal> {
  const tool = await testTool("tmux");
  const dir = await tempDir();
  await writeProgram(join(dir.path, "zombiecoder"));
  const socket = join(dir.path, "tmux");
  const env = {
    ...tool.env,
    PATH: `${dir.path}:${Deno.env.get("PATH")}`,
    HISTFILE: "/dev/null",
    // The tests themselves may run without.
    NO_COLOR: "",
    LC_ALL: "C.UTF-8",
    SHELL: "/bin/sh",
    TMUX: "",
    TERM: "xterm-256color",
    ...options.env,
  };
  async function tmux(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await new Deno.Command(tool.path, {
      args: ["-u", "-f", "/dev/null", "-S", socket, ...args],
      env,
      cwd: dir.path,
    }).output();
    assert.equal(code, 0, `tmux ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }
  // The libraries of a private tmux are not the shell's.
  const shell = "unset LD_LIBRARY_PATH; PS1='$ ' exec bash --norc --noprofile -i";
  const size = ["-x", String(options.columns ?? 100), "-y", String(options.rows ?? 40)];
  await tmux("new-session", "-d", ...size, "-c", dir.path, shell);

  const terminal: TestTerminal = {
    screen: () => tmux("capture-pane", "-p", "-J"),
    everything: () => tmux("capture-pane", "-p", "-J", "-S", "-"),
    coloured: () => tmux("capture-pane", "-p", "-e"),
    async type(text) {
      await tmux("send-keys", "-l", text);
    },
    async enter(line) {
      await tmux("send-keys", "-l", line);
      await tmux("send-keys", "Enter");
    },
    async press(...keys) {
      await tmux("send-keys", ...keys);
    },
    async clear() {
      await terminal.see(/(^|\n)\$\s*$/);
      await terminal.enter("printf '\\033c'");
      await until(async () => (await terminal.screen()).trim() === "$" || null, SEE_MS);
      await tmux("clear-history");
    },
    async paste(text) {
      await tmux("set-buffer", text);
      await tmux("paste-buffer", "-p");
    },
    async resize(columns, rows) {
      await tmux("resize-window", "-x", String(columns), "-y", String(rows));
    },
    async cursor() {
      return Number(await tmux("display-message", "-p", "#{cursor_x}"));
    },
    async see(wanted, timeoutMs = SEE_MS) {
      let screen = "";
      try {
        return await until(async () => {
          screen = await terminal.everything();
          const found = typeof wanted === "string" ? screen.includes(wanted) : wanted.test(screen);
          return found ? screen : null;
        }, timeoutMs);
      } catch (cause) {
        throw new Error(`Not seen: ${wanted}\n${screen}`, { cause });
      }
    },
    async [Symbol.asyncDispose]() {
      await tmux("kill-server");
      await dir[Symbol.asyncDispose]();
    },
  };
  await terminal.see("$");
  return terminal;
}

async function writeProgram(path: string): Promise<void> {
  const main = new URL("main.ts", ROOT).pathname;
  const run = `"${Deno.execPath()}" run -A --no-prompt --quiet --cached-only "${main}" "$@"`;
  await Deno.writeTextFile(path, `#!/bin/sh\nexec ${run}\n`, { mode: 0o755 });
}

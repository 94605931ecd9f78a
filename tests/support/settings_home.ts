// A user's home folder in a temporary place, with what the settings are read from. Gone when it goes out of scope.

import { join } from "node:path";
import { loadConfig, type LoadedConfig } from "../../src/config.ts";

export interface LoadInput {
  args?: string[];
  env?: Record<string, string>;
  os?: string;
  nowMs?: number;
}

export class SettingsHome implements AsyncDisposable {
  /** Stands for the user's home folder and the working folder. */
  readonly folder = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "settings বাংলা " }));
  readonly home = join(this.folder, ".zombie_model");
  readonly configPath = join(this.home, "config.json");

  /** With the settings file's content, as text or to be written as JSON; without one there is no file. */
  constructor(file?: unknown) {
    Deno.mkdirSync(this.home);
    if (file !== undefined) this.write(file);
  }

  write(file: unknown): void {
    const text = typeof file === "string" ? file : JSON.stringify(file);
    Deno.writeTextFileSync(this.configPath, text);
  }

  writeFile(name: string, text: string): string {
    const path = join(this.folder, name);
    Deno.writeTextFileSync(path, text);
    return path;
  }

  /** The settings file as it is on the disk; null without one. */
  read(): unknown {
    const text = this.names().includes("config.json")
      ? Deno.readTextFileSync(this.configPath)
      : null;
    return text === null ? null : JSON.parse(text);
  }

  /** Names in the home, sorted. */
  names(): string[] {
    return [...Deno.readDirSync(this.home)].map(({ name }) => name).sort();
  }

  load(input: LoadInput = {}): LoadedConfig {
    return loadConfig({
      args: [],
      env: {},
      homeDir: this.folder,
      cwd: this.folder,
      os: "linux",
      ...input,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

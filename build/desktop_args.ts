// What `deno desktop` is told (pure).

import { VERSION } from "../src/version.ts";
import { PROGRAM } from "./output_folder.ts";
import { BuildFailure } from "./step.ts";

export interface DesktopWishes {
  /** The bundle's scripts; `deno desktop` runs in their folder. */
  scripts: readonly string[];
  output: string;
}

/** As `deno compile` is told, with the web view that the system has. */
export function desktopArgs({ scripts, output }: DesktopWishes): string[] {
  return [
    ...["desktop", "-A", "--no-prompt", "--config", "deno.json"],
    ...["--no-lock", "--no-remote", "--no-npm", "--no-check", "--no-code-cache"],
    ...["--backend", "webview"],
    ...scripts.filter((script) => script !== PROGRAM).flatMap((file) => ["--include", file]),
    ...["--output", output, PROGRAM],
  ];
}

/** The settings file beside the scripts: the window's name stands there alone. */
export function desktopSettings(): string {
  const settings = {
    name: "@zombiecoder/desktop",
    version: VERSION,
    exports: `./${PROGRAM}`,
    unstable: ["worker-options", "no-legacy-abort"],
    desktop: { app: { name: "ZombieCoder", identifier: "zombiecoder.desktop" } },
  };
  return `${JSON.stringify(settings, null, 2)}\n`;
}

export function outputName(os: string): string {
  return os === "darwin" ? "ZombieCoder.app" : "ZombieCoder";
}

/** What to do where the base was not to be had; null where something else went wrong. */
export function unavailableBase(stderr: string): BuildFailure | null {
  const url = /https?:\/\/[^\s()]+\.(?:zip|tar\.\w+)/.exec(stderr)?.[0];
  if (url === undefined) return null;
  return new BuildFailure(
    `Cannot fetch what a native window is made of: run this where ${url} can be reached, or use zombiecoder app`,
  );
}

// On what the figures were reached: without it they mean nothing.

import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import type { Tool } from "./tools.ts";

export interface MachineFacts {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly os: string;
  /** Work that others did here at the start, in running processes. */
  readonly loadAtStart: number;
  readonly deno: string;
  readonly llamaServer: string;
  readonly wrk: string;
  readonly nginx: string | null;
}

export interface MeasuringTools {
  readonly llamaServer: string;
  readonly wrk: Tool;
  readonly nginx: Tool | null;
}

export async function readMachine(tools: MeasuringTools): Promise<MachineFacts> {
  const { stderr } = await new Deno.Command(tools.llamaServer, { args: ["--version"] }).output();
  const version = new TextDecoder().decode(stderr);
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? "unknown",
    memoryBytes: totalmem(),
    kernel: release(),
    os: await osName(),
    loadAtStart: loadavg()[0] ?? 0,
    deno: Deno.version.deno,
    llamaServer: /^version: (.*)$/m.exec(version)?.[1] ?? version.trim(),
    wrk: tools.wrk.version,
    nginx: tools.nginx?.version ?? null,
  };
}

async function osName(): Promise<string> {
  const text = await readFile("/etc/os-release", "utf8");
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? "unknown";
}

// Linux: the distribution's name, the kernel, and whether we run in a container.

import type { OsInfo } from "../../api_types.ts";
import type { SystemFiles } from "./system_files.ts";

const CONTAINER_PATH = /docker|kubepods|containerd|libpod|\blxc\b|garden/;

/** `os-release`: shell-like assignments, values quoted or not. */
export function parseOsRelease(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/^([A-Z][A-Z0-9_]*)=(.*)$/gm)) {
    if (name === undefined || value === undefined) continue;
    const quoted = /^(["'])(.*)\1\s*$/.exec(value);
    values.set(name, quoted ? (quoted[2] ?? "").replace(/\\(["'$`\\])/g, "$1") : value.trim());
  }
  return values;
}

export function readLinuxOs(files: SystemFiles): OsInfo {
  const release = parseOsRelease(
    files.read("/etc/os-release") ?? files.read("/usr/lib/os-release") ?? "",
  );
  return {
    family: "linux",
    name: release.get("PRETTY_NAME") ?? release.get("NAME") ?? null,
    arch: Deno.build.arch,
    kernel: files.readLine("/proc/sys/kernel/osrelease"),
    container: isContainer(files),
  };
}

/** True on a sign of one, false under a full system's first process, null without either. */
function isContainer(files: SystemFiles): boolean | null {
  const marked = ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"]
    .some((path) => files.exists(path));
  if (marked || CONTAINER_PATH.test(files.read("/proc/1/cgroup") ?? "")) return true;
  const first = files.readLine("/proc/1/comm");
  return first === "systemd" || first === "init" ? false : null;
}

// The systems that the program is compiled for, and what its file is called on each.

export interface Target {
  /** As `deno compile --target` has it. */
  triple: string;
  /** The file's name in a release. */
  file: string;
  /** As `Deno.build` has them there. */
  os: "linux" | "darwin" | "windows";
  arch: "x86_64" | "aarch64";
}

export const TARGETS: readonly Target[] = [
  target("x86_64-pc-windows-msvc", "zombiecoder-windows-x64.exe"),
  target("x86_64-apple-darwin", "zombiecoder-macos-x64"),
  target("aarch64-apple-darwin", "zombiecoder-macos-arm64"),
  target("x86_64-unknown-linux-gnu", "zombiecoder-linux-x64"),
  target("aarch64-unknown-linux-gnu", "zombiecoder-linux-arm64"),
];

/** Null for a system that nothing is built for. */
export function targetNamed(triple: string): Target | null {
  return TARGETS.find((each) => each.triple === triple) ?? null;
}

function target(triple: string, file: string): Target {
  const os = triple.includes("windows")
    ? "windows"
    : triple.includes("darwin")
    ? "darwin"
    : "linux";
  return { triple, file, os, arch: triple.startsWith("x86_64") ? "x86_64" : "aarch64" };
}

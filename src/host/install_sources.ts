// Where builds of llama.cpp come from, in the order in which they are tried. Each is loaded when it is
// tried: a machine that has a runtime never loads what would install one.

import type { InstallSource } from "./install_source.ts";

export interface SourcesWanted {
  /** The release API or a mirror of it. */
  releaseApi?: string;
  /** One kind of build of the project's own; default: what runs on any computer of this kind. */
  variant?: string | undefined;
  release?: "pinned" | "latest" | undefined;
  platform?: { os: string; arch: string } | undefined;
}

/**
 * What this program carries first; then the project's own release builds, and where they cannot be
 * reached, the distribution's packages.
 */
export function installSources(
  { releaseApi, ...wanted }: SourcesWanted = {},
): InstallSource[] {
  const github = loadedLate(
    "github",
    async () =>
      (await import("./install_github.ts")).githubSource({ apiBase: releaseApi, ...wanted }),
  );
  // The others have one build, for the CPU, and no newer one.
  if ((wanted.variant ?? "cpu") !== "cpu" || wanted.release === "latest") return [github];
  return [
    loadedLate("embedded", async () => (await import("./install_embedded.ts")).embeddedSource()),
    github,
    loadedLate("debian", async () => (await import("./install_debian.ts")).debianSource()),
  ];
}

function loadedLate(name: string, load: () => Promise<InstallSource>): InstallSource {
  return {
    name,
    unsuitable: async (signal) => await (await load()).unsuitable(signal),
    async *builds(context) {
      yield* (await load()).builds(context);
    },
  };
}

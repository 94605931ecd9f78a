// Where builds of llama.cpp come from, in the order in which they are tried. Each is loaded when it is
// tried: a machine that has a runtime never loads what would install one.

import type { InstallSource } from "./install.ts";

/**
 * What this program carries first; then the project's own release builds, and where they cannot be
 * reached, the distribution's packages.
 */
export function installSources(): InstallSource[] {
  return [
    loadedLate("embedded", async () => (await import("./install_embedded.ts")).embeddedSource()),
    loadedLate("github", async () => (await import("./install_github.ts")).githubSource()),
    loadedLate("debian", async () => (await import("./install_debian.ts")).debianSource()),
  ];
}

function loadedLate(name: string, load: () => Promise<InstallSource>): InstallSource {
  return {
    name,
    unsuitable: async () => await (await load()).unsuitable(),
    async *builds(context) {
      yield* (await load()).builds(context);
    },
  };
}

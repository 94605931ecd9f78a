// Where builds of llama.cpp come from, in the order in which they are tried.

import type { InstallSource } from "./install.ts";
import { debianSource } from "./install_debian.ts";
import { githubSource } from "./install_github.ts";

/** The project's own release builds first; where they cannot be reached, the distribution's packages. */
export function installSources(): InstallSource[] {
  return [githubSource(), debianSource()];
}

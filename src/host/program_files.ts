// Where the program's own files are: in the source tree; in a bundle, where all of the host is one
// script with its Workers' beside it; or compiled, which is a bundle inside of Deno.

/** What a bundle is run with: it needs no settings file, no cache and no network to be complete. */
export const BUNDLE_FLAGS: readonly string[] = [
  ...["-A", "--no-prompt", "--quiet", "--no-config", "--no-lock", "--no-remote", "--no-npm"],
  ...["--no-code-cache", "--unstable-worker-options", "--unstable-no-legacy-abort"],
];

/** The modules that run in Workers, from here; by their names in a bundle, without `.js`. */
export const WORKERS = {
  server: "../server.ts",
  bandwidth_worker: "./probes/bandwidth_worker.ts",
} as const;

export function isBundled(): boolean {
  return !import.meta.url.endsWith("/src/host/program_files.ts");
}

/** The address of a Worker's module. */
export function workerModule(name: keyof typeof WORKERS): string {
  return import.meta.resolve(isBundled() ? `./${name}.js` : WORKERS[name]);
}

/** The address of a file that may lie beside a bundle; in the source tree there is none. */
export function fileBeside(name: string): string | null {
  return isBundled() ? import.meta.resolve(`./${name}`) : null;
}

// What of others is inside the program, as CycloneDX: the packages of which a module really was bundled,
// as deno.lock has them; Deno itself; a llama.cpp build where one is embedded.

import { join } from "node:path";
import type { EmbeddedRuntime } from "../src/host/embedded_runtime.ts";
import { VERSION } from "../src/version.ts";
import { BuildFailure } from "./step.ts";

interface Lock {
  /** By `NAME@VERSION`, with peers behind a `_` where there are some. */
  npm: Record<string, { integrity?: string }>;
}

export interface Component {
  type: "library" | "platform" | "application";
  name: string;
  version: string;
  purl?: string;
  licenses?: [{ license: { id: string } } | { expression: string }];
  hashes?: { alg: "SHA-512" | "SHA-256"; content: string }[];
}

export interface SbomOptions {
  /** `NAME@VERSION` -> the package's folder. */
  packages: ReadonlyMap<string, string>;
  /** The text of deno.lock. */
  lock: string;
  denoVersion: string;
  runtime: EmbeddedRuntime | null;
}

export async function sbom(options: SbomOptions) {
  const lock: Lock = JSON.parse(options.lock);
  const components: Component[] = [];
  for (const [id, folder] of [...options.packages].sort(([a], [b]) => a < b ? -1 : 1)) {
    components.push(await packageComponent(id, folder, lock));
  }
  const { denoVersion, runtime } = options;
  components.push({
    type: "platform",
    name: "deno",
    version: denoVersion,
    purl: `pkg:github/denoland/deno@v${denoVersion}`,
    licenses: [{ license: { id: "MIT" } }],
  });
  if (runtime !== null) components.push(runtimeComponent(runtime));
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        name: "zombiecoder",
        version: VERSION,
        licenses: [{ license: { id: "MIT" } }],
      },
    },
    components,
  };
}

async function packageComponent(id: string, folder: string, lock: Lock): Promise<Component> {
  const at = id.lastIndexOf("@");
  const [name, version] = [id.slice(0, at), id.slice(at + 1)];
  const locked = Object.entries(lock.npm)
    .find(([key]) => key === id || key.startsWith(`${id}_`))?.[1];
  if (locked?.integrity === undefined) {
    throw new BuildFailure(`Cannot list "${id}": it is in the program, but not in deno.lock`);
  }
  const { license } = JSON.parse(await Deno.readTextFile(join(folder, "package.json")));
  return {
    type: "library",
    name,
    version,
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
    ...(typeof license === "string" && { licenses: [licenceOf(license)] }),
    hashes: [hashOf(locked.integrity)],
  };
}

/** The name of one licence, or a choice of several. */
function licenceOf(text: string): { license: { id: string } } | { expression: string } {
  return /^[\w.+-]+$/.test(text) ? { license: { id: text } } : { expression: text };
}

function hashOf(integrity: string): { alg: "SHA-512"; content: string } {
  const found = /^sha512-([A-Za-z0-9+/=]+)$/.exec(integrity);
  if (found === null) {
    throw new BuildFailure(`Cannot read the checksum "${integrity}" of deno.lock`);
  }
  return { alg: "SHA-512", content: Uint8Array.fromBase64(found[1]!).toHex() };
}

function runtimeComponent({ name, sha256 }: EmbeddedRuntime): Component {
  return {
    type: "application",
    name: "llama.cpp",
    version: name,
    licenses: [{ license: { id: "MIT" } }],
    hashes: [{ alg: "SHA-256", content: sha256 }],
  };
}

// What is said of a build's files, beside them: manifest, sums, what of others is inside, licences.

import { join } from "node:path";
import type { EmbeddedRuntime } from "../src/host/embedded_runtime.ts";
import { ROOT } from "./bundle_program.ts";
import { licenceTexts } from "./licences.ts";
import { writeManifest } from "./manifest.ts";
import { sbom } from "./sbom.ts";

export interface BuildContents {
  /** `NAME@VERSION` of the packages inside -> their folders. */
  packages: ReadonlyMap<string, string>;
  runtime: EmbeddedRuntime | null;
}

/**
 * Writes them for `targets`, the files in `folder` with the system that each is for. The folder was checked
 * by `checkPapers`. Throws `BuildFailure` for a package that deno.lock does not have.
 */
export async function writePapers(
  folder: string,
  { targets, contents }: { targets: ReadonlyMap<string, string>; contents: BuildContents },
): Promise<void> {
  const bill = await sbom({
    ...contents,
    lock: await Deno.readTextFile(join(ROOT, "deno.lock")),
    denoVersion: Deno.version.deno,
  });
  const licences = await licenceTexts(contents.packages);
  await writeManifest(folder, targets);
  await Deno.writeTextFile(join(folder, "LICENSES.txt"), licences);
  await Deno.writeTextFile(join(folder, "sbom.cdx.json"), `${JSON.stringify(bill, null, 2)}\n`);
}

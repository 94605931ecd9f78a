// A program that has the catalogue's file written again and again, and says so after each time, until
// it is killed.

import { Catalogue } from "../../src/models/catalogue.ts";
import { repoInfo } from "./catalogue_home.ts";
import { logEntries } from "./log_entries.ts";

if (import.meta.main) {
  const catalogue = new Catalogue({ home: Deno.args[0]!, log: logEntries().log });
  const files = Array.from({ length: 500 }, (_, n) => ({
    path: `${n}.gguf`,
    sizeBytes: n,
    sha256: null,
  }));
  for (let n = 0;; n++) {
    await catalogue.rememberRepo(repoInfo(files, { repo: `me/r${n % 50}` }));
    await catalogue.flush();
    Deno.stdout.writeSync(new TextEncoder().encode(`${n}\n`));
  }
}

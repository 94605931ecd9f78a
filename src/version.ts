// The program's version: one place says it, and a compiled executable carries that file along.

import manifest from "../deno.json" with { type: "json" };

export const VERSION: string = manifest.version;

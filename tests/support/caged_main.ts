// `main.ts serve` with the cage programs that ZOMBIE_TEST_CAGE_PROGRAMS names, as JSON, and no others.

import { loadConfig, readProcess } from "../../src/config.ts";
import { messageOf } from "../../src/errors.ts";
import { serve } from "../../src/host/serve.ts";

function write(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  stream.writeSync(new TextEncoder().encode(text));
}

if (import.meta.main) {
  const input = readProcess();
  try {
    const code = await serve({
      config: loadConfig(input).config,
      programDir: new URL("../..", import.meta.url).pathname,
      socketBase: input.runtimeDir ?? input.tmpDir,
      path: null,
      cagePrograms: JSON.parse(Deno.env.get("ZOMBIE_TEST_CAGE_PROGRAMS")!),
      io: {
        out: (text) => write(Deno.stdout, text),
        err: (text) => write(Deno.stderr, text),
      },
    });
    Deno.exit(code);
  } catch (error) {
    write(Deno.stderr, `${messageOf(error)}\n`);
    Deno.exit(1);
  }
}

// `main.ts serve` with some of its options changed, for the programs of tests.

import { loadConfig, readProcess } from "../../src/config.ts";
import { messageOf } from "../../src/errors.ts";
import { serve, type ServeOptions } from "../../src/host/serve.ts";

function write(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  stream.writeSync(new TextEncoder().encode(text));
}

export async function serveWith(
  options: Partial<Pick<ServeOptions, "serverUrl" | "heartbeatLimitMs" | "path" | "cagePrograms">>,
): Promise<never> {
  const input = readProcess();
  try {
    const code = await serve({
      config: loadConfig(input).config,
      programDir: new URL("../..", import.meta.url).pathname,
      socketBases: input,
      path: input.env.PATH ?? null,
      importPlaces: input,
      ...options,
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

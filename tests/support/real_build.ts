// The real llama.cpp of the tests, packed as a release packs one, or as an installed build beside others.

import { dirname, join } from "node:path";
import { tarGz } from "./archive_writer.ts";
import { testRuntime } from "./llama_server.ts";

/** The server and its libraries alone, in the one folder that a release's archive has. */
export async function realBuildArchive(tag: string): Promise<Uint8Array<ArrayBuffer>> {
  const real = dirname(await testRuntime());
  const files = await Array.fromAsync(Deno.readDir(real));
  return tarGz(
    await Promise.all(
      files.filter(({ name }) => /^(lib|ld-).*so|^llama-server$/.test(name)).map(
        async ({ name }) => ({
          name: `llama-${tag}/${name}`,
          content: await Deno.readFile(join(real, name)),
          mode: (await Deno.stat(join(real, name))).mode! & 0o777,
        }),
      ),
    ),
  );
}

/** With its record, as if it had been installed there. */
export async function copyRealBuild(folder: string): Promise<void> {
  const real = dirname(await testRuntime());
  await Deno.mkdir(folder, { recursive: true });
  for await (const { name } of Deno.readDir(real)) {
    await Deno.copyFile(join(real, name), join(folder, name));
  }
}

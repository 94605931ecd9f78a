// The program with a model that sees and hears, as far as its files say, in front of an instance that
// only writes down what reaches it.

import { join } from "node:path";
import { writeTestModel } from "../../src/models/hello_model.ts";
import { ggufFile } from "./gguf_files.ts";
import { type RecordingServer, writeRecordingServer } from "./recording_server.ts";
import { type ServerOptions, type ServerProcess, startServer } from "./server_process.ts";
import { tempDir } from "./temp_dir.ts";

export interface SeeingServer extends AsyncDisposable {
  server: ServerProcess;
  recorded: RecordingServer;
}

/** `eye` sees and hears, as far as its projector's header says; it is never really loaded. */
export async function seeingServer(
  options: Pick<ServerOptions, "doors"> = {},
): Promise<SeeingServer> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const recorded = await writeRecordingServer(dir.path);
  const server = stack.use(
    await startServer({
      ...options,
      flags: ["--llama-server", recorded.path],
      async prepare(home) {
        await Deno.mkdir(join(home, "eye"));
        await writeTestModel(join(home, "eye", "eye.gguf"), { sentence: "I see.", name: "eye" });
        const projector = ggufFile({
          "general.architecture": { string: "clip" },
          "clip.has_vision_encoder": { bool: true },
          "clip.has_audio_encoder": { bool: true },
        });
        await Deno.writeFile(join(home, "eye", "mmproj-eye-f16.gguf"), projector);
      },
    }),
  );
  const whole = stack.move();
  return { server, recorded, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

// A server with a model that is real work: its answers never end, its prompts take seconds.

import { join } from "node:path";
import { writeTestModel } from "../../src/models/hello_model.ts";
import { ENDLESS_MODEL } from "./gguf_files.ts";
import { InstanceLog } from "./instance_log.ts";
import { type ServerProcess, startServer } from "./server_process.ts";

/** Some 100 tokens a second on one thread, and thousands of tokens in front of every chat. */
const HEAVY_MODEL = {
  ...ENDLESS_MODEL,
  name: "heavy",
  sizeBytes: 100e6,
  // A body of 60 bytes is to be a long prompt too.
  chatTemplate: "{%- for i in range(100) %}these are twenty char {% endfor -%}" +
    "{%- for message in messages -%}{{ message.content }}{% endfor -%}",
};

export interface HeavyServer extends AsyncDisposable {
  server: ServerProcess;
  log: InstanceLog;
}

/** One thread, one slot unless said otherwise; `heavy` is loaded and its log shows its slots. */
export async function heavyServer(settings: { parallel?: number } = {}): Promise<HeavyServer> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await unloadedHeavyServer());
  await put(server, { ...settings, extra_args: ["--log-verbosity", "3", "--no-cache-prompt"] });
  await expectOk(await server.post("/admin/models/heavy/load", {}));
  const log = stack.use(await InstanceLog.follow(server, "heavy"));
  const whole = stack.move();
  return { server, log, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

export function unloadedHeavyServer(): Promise<ServerProcess> {
  return startServer({
    flags: ["--threads", "1"],
    prepare: (home) => writeTestModel(join(home, "heavy.gguf"), HEAVY_MODEL),
  });
}

async function put(server: ServerProcess, settings: Record<string, unknown>): Promise<void> {
  await expectOk(
    await server.fetch("/admin/models/heavy/settings", {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(settings),
    }),
  );
}

async function expectOk(response: Response): Promise<void> {
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
}

// A program: runs the attempts in a Worker, in the server's own scope or (`all`) in none, and prints
// their answers. A process of its own, so that it runs with the flags of `deno task start`.

import { serverScope } from "../../src/host/scope.ts";
import type { Config } from "../../src/config.ts";
import type { AttemptInput } from "./scope_attempts.ts";

if (import.meta.main) {
  const [given, mode] = Deno.args as [string, string];
  const input: AttemptInput = JSON.parse(given);
  const config = {
    home: input.home,
    modelsDirs: [] as string[],
    hosts: ["127.0.0.1", "::1"],
    port: 0,
    runtimePorts: { first: 28_080, last: 28_100 },
    hfEndpoint: "https://huggingface.co",
    downloadHosts: [],
    proxy: null,
  } as unknown as Config;
  const permissions = mode === "all" ? "inherit" : serverScope(config, {
    socketDir: input.placePath.slice(0, input.placePath.lastIndexOf("/")),
    places: [{ socketPath: input.placePath }],
    importRoots: [{ program: "ollama", path: input.importRoot }],
  });
  const worker = new Worker(import.meta.resolve("./scope_attempts.ts"), {
    type: "module",
    deno: { permissions },
  } as WorkerOptions);
  worker.postMessage(input);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  worker.onmessage = (event) => resolve(event.data);
  const text = new TextEncoder().encode(JSON.stringify(await promise));
  for (let at = 0; at < text.length;) at += Deno.stdout.writeSync(text.subarray(at));
  Deno.exit(0);
}

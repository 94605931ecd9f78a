// A program: the Hub's client in a Worker with exactly the server's scope. A process of its own, since
// proxies are read from the environment when it starts.

import type { Config } from "../../src/config.ts";
import { serverScope } from "../../src/host/scope.ts";
import type { HubScopeInput } from "./hub_scope_worker.ts";

if (import.meta.main) {
  const input: HubScopeInput & { proxy: string | null } = JSON.parse(Deno.args[0]!);
  const config = {
    home: "/nowhere",
    modelsDirs: [] as string[],
    hosts: ["127.0.0.1"],
    port: 0,
    runtimePorts: { first: 28_080, last: 28_081 },
    hfEndpoint: input.endpoint,
    downloadHosts: input.downloadHosts,
    proxy: input.proxy,
  } as unknown as Config;
  const worker = new Worker(import.meta.resolve("./hub_scope_worker.ts"), {
    type: "module",
    deno: {
      permissions: serverScope(config, {
        socketDir: "/nowhere/sockets",
        places: [],
        importRoots: [],
      }),
    },
  } as WorkerOptions);
  worker.postMessage(input);
  worker.onmessage = ({ data }) => {
    Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(data)));
    Deno.exit(0);
  };
}

// All probes in a Worker that may do nothing: what they then know of this computer.

/// <reference lib="deno.worker" />

import { messageOf } from "../../src/errors.ts";
import { createConnectionsProbe } from "../../src/host/probes/connections_probe.ts";
import { HostProbe } from "../../src/host/probes/host_probe.ts";
import { createProcessProbe } from "../../src/host/probes/process_probe.ts";

const TOKEN = "00112233445566778899aabbccddeeff";
const CLIENT = { id: 1, localPort: 1, remoteAddress: "127.0.0.1", remotePort: 2 };

async function known(platform: typeof Deno.build.os): Promise<unknown> {
  await using host = new HostProbe({ platform });
  const processes = createProcessProbe(platform);
  return {
    reading: await host.read({ fresh: true }),
    times: host.cpuTimes(),
    boot: await processes.bootId(),
    process: await processes.readProcess(Deno.pid),
    found: await processes.findByToken(TOKEN),
    departed: await createConnectionsProbe(platform).departed([CLIENT]),
  };
}

self.addEventListener("message", async () => {
  const answers: Record<string, unknown> = {};
  for (const platform of ["linux", "darwin", "windows"] as const) {
    try {
      answers[platform] = await known(platform);
    } catch (error) {
      answers[platform] = messageOf(error);
    }
  }
  self.postMessage(answers);
});

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { instancesWith } from "../support/instance_processes.ts";
import { modelProcesses } from "../support/model_processes.ts";
import { startServer, until } from "../support/server_process.ts";
import { threatName } from "./rows.ts";

for (const mode of ["require", "off"]) {
  Deno.test(
    threatName(14, `an instance with --cage ${mode} that crashes leaves no core dump`),
    async () => {
      await using server = await startServer({ flags: ["--cage", mode] });
      const loaded = await server.post("/admin/models/hello/load", {});
      assert.equal(loaded.status, 200, await loaded.text());
      const { pid } = modelProcesses(server.home)[0]!;
      for (const each of [pid, ...instancesWith(server.home)]) {
        const limits = Deno.readTextFileSync(`/proc/${each}/limits`);
        assert.match(limits, /^Max core file size +0 +0 /m);
      }
      const folder = dirname(Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0")[0]!);
      const before = [...Deno.readDirSync(folder)].length;
      Deno.kill(pid, "SIGSEGV");
      await until(async () => {
        const { state } = await server.json<{ state: string }>("/admin/models/hello");
        return state === "failed";
      });
      assert.equal([...Deno.readDirSync(folder)].length, before);
    },
  );
}

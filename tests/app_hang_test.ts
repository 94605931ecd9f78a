// The dashboard's own window where its browser hangs: stopped, as one that waits for its disk.

import assert from "node:assert/strict";
import { join } from "node:path";
import { runningServer } from "../src/host/detached_server.ts";
import { desktopUser } from "./support/desktop_user.ts";
import { until } from "./support/server_process.ts";

const WAIT_MS = 60_000;

Deno.test("A browser that hangs is named, not believed, and keeps what it has", async () => {
  await using user = await desktopUser("user");
  assert.equal((await user.zombiecoder("app")).code, 0);
  const [folder] = [...Deno.readDirSync(join(user.runtimeHome, "app"))];
  const note = join(user.runtimeHome, "app", folder!.name, "browser.json");
  const { pid } = JSON.parse(Deno.readTextFileSync(note));
  // It was opened yesterday.
  const yesterday = new Date(Date.now() - 86_400_000);
  await Deno.utime(note, yesterday, yesterday);
  Deno.kill(pid, "SIGSTOP");
  const before = user.programs();
  const hung = await user.zombiecoder("app");
  assert.deepEqual(hung, {
    code: 1,
    stdout: "",
    stderr: "Cannot open a window: the browser of the one before does not answer. " +
      `End its process ${pid} and try again\n`,
  });
  // Who waited for it is gone, and it is not.
  await until(() => user.programs().every((each) => before.includes(each)), WAIT_MS);
  Deno.kill(pid, "SIGCONT");
  const front = await user.zombiecoder("app");
  assert.deepEqual([front.code, front.stdout], [
    0,
    `Brought to the front: ${runningServer(user.home)!.address}\n`,
  ]);
});

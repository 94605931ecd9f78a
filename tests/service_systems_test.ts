// The services of macOS and Windows, as far as they can be seen from here: what their tools are asked, and
// what is made of the answers.

import assert from "node:assert/strict";
import { join } from "node:path";
import { LaunchdService } from "../src/host/service/launchd.ts";
import type { ServiceSpec } from "../src/host/service/service_spec.ts";
import { TaskSchedulerService } from "../src/host/service/task_scheduler.ts";
import { windowsTask } from "../src/host/service/windows_task.ts";
import { tempDir } from "./support/temp_dir.ts";

const SPEC: ServiceSpec = { program: "/opt/zombiecoder", args: ["serve"], env: { A: "b" } };

type Answer = { code?: number; stdout?: string; stderr?: string };

/** Keeps what is asked; each answer is that of the first beginning that fits. */
function tools(answers: Record<string, Answer>) {
  const asked: string[] = [];
  return {
    asked,
    run(path: string, args: readonly string[]) {
      const line = [path, ...args].join(" ");
      asked.push(line);
      const beginning = Object.keys(answers).find((each) => line.includes(each));
      const answer = beginning === undefined ? {} : answers[beginning]!;
      return Promise.resolve({ code: 0, stdout: "", stderr: "", timedOut: false, ...answer });
    },
  };
}

Deno.test("LaunchdService bootstraps its agent into the user's session, and boots it out", async () => {
  await using dir = await tempDir();
  const places = { env: {}, homeDir: join(dir.path, "রহিম"), os: "darwin" };
  const path = join(places.homeDir, "Library", "LaunchAgents", "zombiecoder.server.plist");
  const words = ["/opt/zombiecoder", "serve"];
  const answers: Record<string, Answer> = {
    "print gui/501/zombiecoder.server": {
      stdout: "zombiecoder.server = {\n\tstate = running\n}\n",
    },
  };
  const { asked, run } = tools(answers);
  const service = new LaunchdService({ places, run, uid: 501 });
  assert.equal(await service.status(), null);
  assert.deepEqual(asked, []);
  await service.install(SPEC, { start: true });
  assert.deepEqual(asked.splice(0), [
    "/bin/launchctl enable gui/501/zombiecoder.server",
    `/bin/launchctl bootstrap gui/501 ${path}`,
  ]);
  assert.match(await Deno.readTextFile(path), /<string>\/opt\/zombiecoder<\/string>/);
  assert.deepEqual(await service.status(), { enabled: true, running: true, path, words });
  answers["print-disabled"] = { stdout: '\t"zombiecoder.server" => disabled\n' };
  answers["print gui/501/zombiecoder.server"] = { code: 113, stderr: "Could not find service" };
  assert.deepEqual(await service.status(), { enabled: false, running: false, path, words });
  asked.splice(0);
  // What is loaded keeps its old text.
  await service.install(SPEC, { start: true });
  assert.equal(asked.splice(0)[1], "/bin/launchctl bootout gui/501/zombiecoder.server");
  await service.remove();
  assert.deepEqual(asked, ["/bin/launchctl bootout gui/501/zombiecoder.server"]);
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);

  answers["bootstrap"] = { code: 5, stderr: "Bootstrap failed: 5: Input/output error" };
  await assert.rejects(
    service.install(SPEC, { start: true }),
    /^AppError: Cannot do "bootstrap" for the service: launchctl said "Bootstrap failed/,
  );
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  await Deno.writeTextFile(path, "<plist/>");
  await assert.rejects(service.remove(), /it was not written by zombiecoder/);
  assert.equal(await Deno.readTextFile(path), "<plist/>");
});

Deno.test("TaskSchedulerService makes its task from a file that is gone afterwards, and touches no other's", async () => {
  const places = {
    env: { SystemRoot: "C:\\Windows", USERDOMAIN: "PC", USERNAME: "রহিম" },
    homeDir: null,
    os: "windows",
  };
  const schtasks = "C:\\Windows\\System32\\schtasks.exe";
  const answers: Record<string, Answer> = { "/Query": { code: 1, stderr: "ERROR" } };
  const { asked, run } = tools(answers);
  const service = new TaskSchedulerService({ places, run });
  assert.equal(await service.status(), null);
  await service.install(SPEC, { start: true });
  const create = asked.find((line) => line.includes("/Create"))!;
  const path = /\/XML (.+)$/.exec(create)![1]!;
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  assert.deepEqual(asked.slice(-2), [
    `${schtasks} /End /TN ZombieCoder`,
    `${schtasks} /Run /TN ZombieCoder`,
  ]);
  answers["/Query"] = { stdout: [...windowsTask(SPEC, "PC\\u")].join("\0") };
  const words = ["/opt/zombiecoder"];
  for (const [state, enabled, running] of [[1, false, false], [3, true, false], [4, true, true]]) {
    answers["powershell"] = { stdout: `${state}\r\n` };
    assert.deepEqual(await service.status(), { enabled, running, path: null, words });
  }
  // What is ours is replaced, and nothing else would be.
  asked.splice(0);
  await service.install(SPEC, { start: false });
  assert.match(asked.at(-1)!, /\/Create .* \/F$/);
  asked.splice(0);
  await service.remove();
  assert.equal(asked.at(-1), `${schtasks} /Delete /TN ZombieCoder /F`);

  answers["/Query"] = { stdout: "<Description>somebody else's" };
  asked.splice(0);
  await assert.rejects(service.remove(), /was not made by zombiecoder/);
  await assert.rejects(service.install(SPEC, { start: true }), /was not made by zombiecoder/);
  assert.ok(asked.every((line) => line.includes("/Query")));
  answers["/Query"] = { code: 1 };
  answers["/Run"] = { code: 1, stderr: "ERROR: The system cannot find the file specified.\r\n" };
  await assert.rejects(service.install(SPEC, { start: true }), /Cannot do "\/Run" for the service/);
  assert.equal(asked.at(-1), `${schtasks} /Delete /TN ZombieCoder /F`);
  answers["/Create"] = { code: 1, stderr: "ERROR: Access is denied.\r\n" };
  await assert.rejects(
    service.install(SPEC, { start: false }),
    /schtasks said "ERROR: Access is denied\."$/,
  );
});

// Ctrl-C in `zombiecoder runtime install`, where a server takes its time or has gone too far: played, since
// a real one is there for milliseconds.

import { deepEqual, equal, match } from "node:assert/strict";
import type { RuntimeJob, RuntimeList } from "../src/api_types.ts";
import { tooLate } from "../src/host/runtime_refusals.ts";
import { ServerLock } from "../src/host/server_lock.ts";
import { spawnCli } from "./support/cli.ts";
import { until } from "./support/server_process.ts";
import { type TempDir, tempDir } from "./support/temp_dir.ts";

/** Answers `POST /admin/runtimes` of each action as the test says. */
class PlayedServer implements AsyncDisposable {
  readonly actions: string[] = [];
  readonly job: RuntimeJob = {
    ...{ variant: "cpu", state: "installing", activity: "Downloading", progress: 0.5 },
    ...{ name: null, error: null },
  };
  onCancel: () => Promise<Response> = () => Promise.resolve(this.#list());
  readonly #dir: TempDir;
  readonly #http: Deno.HttpServer<Deno.NetAddr>;
  readonly #lock: ServerLock;

  private constructor(dir: TempDir) {
    this.#dir = dir;
    const quiet = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
    this.#http = Deno.serve(quiet, (request) => this.#answer(request));
    this.#lock = ServerLock.take(dir.path);
    this.#lock.note({ address: `http://127.0.0.1:${this.#http.addr.port}`, pid: Deno.pid });
  }

  static async start(): Promise<PlayedServer> {
    return new PlayedServer(await tempDir());
  }

  get env(): Record<string, string> {
    return { ZOMBIE_HOME: this.#dir.path };
  }

  async #answer(request: Request): Promise<Response> {
    if (request.method === "POST") {
      const { action } = await request.json();
      this.actions.push(action);
      if (action === "cancel") return await this.onCancel();
    }
    return this.#list();
  }

  #list(): Response {
    const { job } = this;
    const list: RuntimeList = { installed: [], available: [], chosen: null, flag: null, job };
    return Response.json(list);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lock[Symbol.dispose]();
    await this.#http.shutdown();
    await this.#dir[Symbol.asyncDispose]();
  }
}

const INSTALL = ["runtime", "install", "cpu"];

Deno.test("Ctrl-C that comes too late says so, and the installation is followed to its end", async () => {
  await using server = await PlayedServer.start();
  server.onCancel = () => {
    const { code, message, values } = tooLate("cpu");
    Object.assign(server.job, { state: "done", activity: null, name: "llama-b1" });
    return Promise.resolve(Response.json({ error: { message, code, values } }, { status: 409 }));
  };
  const child = spawnCli(INSTALL, { env: server.env });
  await until(() => server.actions.length > 0);
  child.kill("SIGINT");
  const { code, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stderr);
  match(said, /^Cannot cancel "cpu": it is installed already, .* then remove it$/m);
  equal(new TextDecoder().decode(stdout), "Installed llama-b1: the next load uses it\n");
  equal(code, 0);
  deepEqual(server.actions, ["install", "cancel"]);
});

Deno.test("Ctrl-C for a second time does not wait for the server", async () => {
  await using server = await PlayedServer.start();
  const held = Promise.withResolvers<Response>();
  server.onCancel = () => held.promise;
  const child = spawnCli(INSTALL, { env: server.env });
  await until(() => server.actions.length > 0);
  child.kill("SIGINT");
  await until(() => server.actions.length > 1);
  child.kill("SIGINT");
  const { code, signal } = await child.output();
  deepEqual([code, signal], [130, "SIGINT"]);
  held.resolve(new Response(null));
});

Deno.test("What ended by itself while Ctrl-C was on its way is told as it ended", async () => {
  await using server = await PlayedServer.start();
  server.onCancel = () => {
    Object.assign(server.job, { state: "done", activity: null, name: "llama-b1" });
    const error = {
      message: 'Cannot cancel "cpu": it is not being installed',
      code: "runtime_refused",
      values: { reason: "not_installing" },
    };
    return Promise.resolve(Response.json({ error }, { status: 409 }));
  };
  const child = spawnCli(INSTALL, { env: server.env });
  await until(() => server.actions.length > 0);
  child.kill("SIGINT");
  const { code, stdout, stderr } = await child.output();
  equal(new TextDecoder().decode(stdout), "Installed llama-b1: the next load uses it\n");
  equal(new TextDecoder().decode(stderr), "Downloading\n");
  equal(code, 0);
});

// Somebody else with an account on this machine: what the system lets them see of an instance.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { environmentOf, instancesWith } from "../support/instance_processes.ts";
import { argumentsOf, processTree, socketFilesBelow } from "../support/process_tree.ts";
import { type ServerProcess, startServer } from "../support/server_process.ts";
import { tempDir } from "../support/temp_dir.ts";
import { threatName } from "./rows.ts";

const KEY = "correct-horse-battery-staple";
const HUB_TOKEN = "hf_" + "t".repeat(34);
const OTHER_USER = 65_534;

/** Whether another user can be played: who may become anybody, and has the program for it. */
const IS_ROOT = Deno.build.os === "linux" && Deno.uid() === 0;

/** As the program of another user would: it says whether it got through. */
const PERL_CONNECT =
  'socket(S, PF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un($ARGV[0])) or die "refused: $!\\n"; print "connected\\n"';

interface Watched extends AsyncDisposable {
  server: ServerProcess;
  pid: number;
  /** What the runtime folder holds for this server. */
  folder: string;
  socket: string;
}

/** A server whose folders stand where everybody may walk: only what it closes itself is closed. */
async function watchedServer(): Promise<Watched> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const base = join(dir.path, "run");
  Deno.mkdirSync(base);
  for (const path of [dir.path, base]) Deno.chmodSync(path, 0o755);
  const server = stack.use(
    await startServer({
      doors: "29161-29180",
      env: { XDG_RUNTIME_DIR: base, ZOMBIE_API_KEY: KEY, HF_TOKEN: HUB_TOKEN },
    }),
  );
  const headers = { "x-api-key": KEY, "content-type": "application/json" };
  const loaded = await server.post("/admin/models/hello/load", {}, { headers });
  equal(loaded.status, 200, await loaded.text());
  const pid = instancesWith(join(server.home, "..")).find((each) =>
    argumentsOf(each)[0]!.endsWith("llama-server")
  )!;
  const [socket] = socketFilesBelow(base);
  ok(socket !== undefined);
  const folder = join(base, socket.slice(base.length + 1).split("/")[0]!);
  const rest = stack.move();
  return { server, pid, folder, socket, [Symbol.asyncDispose]: () => rest.disposeAsync() };
}

Deno.test(
  threatName(4, "the socket lies in a folder of 0700, and there is no TCP to the child"),
  async () => {
    await using watched = await watchedServer();
    const { folder, server } = watched;
    const { isDirectory, uid, mode } = Deno.lstatSync(folder);
    deepEqual([isDirectory, uid, mode! & 0o777], [true, Deno.uid(), 0o700]);
    // Where the gateway listens for the model, it wants the key as everywhere.
    const { port } = await server.json<{ port: number }>("/admin/models/hello", {
      headers: { "x-api-key": KEY },
    });
    const answer = await fetch(`http://127.0.0.1:${port}/props`);
    await answer.body?.cancel();
    equal(answer.status, 401);
  },
);

Deno.test(threatName(4, "no key is in any argument of the process tree"), async () => {
  await using watched = await watchedServer();
  const key = environmentOf(watched.pid).get("LLAMA_API_KEY")!;
  match(key, /^[0-9a-f]{32}$/);
  const tree = processTree(watched.server.pid);
  ok(tree.length >= 2 && tree.includes(watched.pid), tree.join());
  for (const pid of tree) {
    const args = argumentsOf(pid);
    for (const secret of [key, KEY, HUB_TOKEN]) {
      ok(!args.some((arg) => arg.includes(secret)), `${args[0]} has a key in its arguments`);
    }
  }
  // The child gets its own key, and none of the others.
  const values = [...environmentOf(watched.pid).values()];
  ok(!values.some((value) => value.includes(KEY) || value.includes(HUB_TOKEN)));
});

if (IS_ROOT) {
  Deno.test(
    threatName(4, "a second user is refused the socket, the environment and the memory"),
    async () => {
      await using watched = await watchedServer();
      const { folder, socket } = watched;
      const tree = processTree(watched.server.pid);
      // The way there is open to the folder, and there it ends.
      equal((await asOther(`ls -d ${quoted(folder)}`)).code, 0);
      const refused = [
        `ls ${quoted(folder)}`,
        `cat ${quoted(socket)}`,
        `touch ${quoted(join(folder, "01.sock"))}`,
        `mv ${quoted(folder)} ${quoted(`${folder}-other`)}`,
        ...tree.flatMap((pid) =>
          ["environ", "mem", "maps", "fd/0", "root/etc"].map((name) => `cat /proc/${pid}/${name}`)
        ),
      ];
      for (const command of refused) {
        const { code, text } = await asOther(command);
        ok(code !== 0, command);
        match(text, /Permission denied|Operation not permitted/, command);
      }
      const connected = await asOther(
        `perl -MSocket -e ${quoted(PERL_CONNECT)} ${quoted(socket)}`,
      );
      equal(connected.text.trim(), "refused: Permission denied");
      // That program could connect if it were let: as the owner it is.
      const owner = await run(["perl", "-MSocket", "-e", PERL_CONNECT, socket]);
      equal(owner.text.trim(), "connected");
    },
  );
} else {
  Deno.test(
    threatName(4, "what a second user would have to pass is closed to all but this one"),
    async () => {
      await using watched = await watchedServer();
      // Nobody else can be played here; the system refuses by these modes.
      for (const pid of processTree(watched.server.pid)) {
        const { mode, uid } = Deno.statSync(`/proc/${pid}/environ`);
        deepEqual([mode! & 0o077, uid], [0, Deno.uid()]);
      }
    },
  );
}

function asOther(command: string): Promise<{ code: number; text: string }> {
  const who = ["--reuid", `${OTHER_USER}`, "--regid", `${OTHER_USER}`, "--clear-groups"];
  return run(["setpriv", ...who, "sh", "-c", command]);
}

async function run([program, ...args]: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(program!, {
    args,
    cwd: "/",
    env: { LC_ALL: "C" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

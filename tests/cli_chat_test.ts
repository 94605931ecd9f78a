import assert from "node:assert/strict";
import { join } from "node:path";
import { HELLO_SENTENCE, writeTestModel } from "../src/models/hello_model.ts";
import { endServer } from "../src/host/detached_server.ts";
import { cliEnv, startEnv } from "./support/cli.ts";
import { ENDLESS_MODEL, SLOW_MODEL, THINKING_MODEL } from "./support/gguf_files.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { startTerminal } from "./support/terminal.ts";

/** With an answer that would colour, move and retitle the terminal, were it obeyed. */
const HOSTILE = "A\x1b[31mB\x1b]0;owned\x07C\x9b2JD\rE";

function chatServer(): Promise<ServerProcess> {
  return startServer({
    async prepare(home) {
      await writeTestModel(join(home, "endless.gguf"), SLOW_MODEL);
      await writeTestModel(join(home, "quick.gguf"), ENDLESS_MODEL);
      await writeTestModel(join(home, "thinking.gguf"), THINKING_MODEL);
      await writeTestModel(join(home, "hostile.gguf"), { name: "hostile", sentence: HOSTILE });
    },
  });
}

async function openRequests(server: ServerProcess): Promise<unknown[]> {
  const rows = await server.json<{ state: string }[]>("/admin/requests");
  return rows.filter(({ state }) => state === "answering" || state === "queued");
}

Deno.test("run talks in a terminal: Ctrl-C ends an answer and not the talk, Ctrl-D the talk", async () => {
  await using server = await chatServer();
  await using terminal = await startTerminal({ columns: 80, env: cliEnv(server) });
  await terminal.enter("zombiecoder run endless; echo over $?");
  await terminal.see(/>>> $/m);

  await terminal.enter("count for me");
  await terminal.see("one two three four one two");
  await terminal.press("C-c");
  await terminal.see(/\nStopped\n>>>\s*$/);
  // The model has stopped, too.
  await until(async () => (await openRequests(server)).length === 0);

  await terminal.enter("and once more");
  await terminal.see(/and once more\n(one|two|three|four|\s)+/);
  await terminal.press("C-c");
  await terminal.see(/Stopped[^]*Stopped\n>>>\s*$/);

  await terminal.press("C-d");
  await terminal.see(/over 0\n\$\s*$/);
  // What the shell's own lines need is as it was.
  await terminal.enter("stty -a");
  const screen = await terminal.see(/ icanon /);
  assert.match(screen, / echo /);
});

Deno.test("run edits its prompt, keeps what is typed ahead, and obeys /system, /clear and /bye", async () => {
  await using server = await chatServer();
  await using terminal = await startTerminal({ columns: 60, env: cliEnv(server) });
  await terminal.enter("zombiecoder run endless; echo over $?");
  await terminal.see(/>>> $/m);

  await terminal.type("কেমন আছোX");
  await terminal.press("BSpace", "Left");
  await terminal.type("Y");
  await terminal.see(/>>> কেমন আYছো$/m);
  await terminal.press("C-u", "C-k");
  // Longer than a row, and with rows of its own.
  await terminal.paste(`${"long ".repeat(20)}\nsecond row`);
  await terminal.see(/\n\.\.\. second row\s*$/);
  await terminal.resize(50, 30);
  await terminal.see(/second row\s*$/);
  await terminal.press("Enter");
  await terminal.see("one two three four one");
  // Typed while the answer comes: it is not seen until the next prompt.
  await terminal.type("/syst");
  await terminal.type("em Be brief\r/nonsense\r");
  assert.doesNotMatch(await terminal.everything(), /syst/);
  const { id } = (await openRequests(server))[0] as { id: string };
  await server.fetch(`/admin/requests/${id}`, { method: "DELETE" });
  const screen = await terminal.see("Unknown command /nonsense");
  assert.match(screen, />>> \/system Be brief\nThe model is told that\n/);

  await terminal.press("Up", "Up");
  await terminal.see(/>>> \/system Be brief$/m);
  await terminal.press("C-u");
  await terminal.enter("/clear");
  await terminal.see("The talk so far is forgotten");
  await terminal.enter("/bye");
  await terminal.see(/over 0\n\$\s*$/);
});

Deno.test("run ends its talk with a second Ctrl-C at the prompt", async () => {
  await using server = await chatServer();
  await using terminal = await startTerminal({ env: cliEnv(server) });
  await terminal.enter("zombiecoder run hello; echo over $?");
  await terminal.see(/>>> $/m);
  await terminal.type("never asked");
  await terminal.press("C-c");
  await terminal.see(/Ctrl-C again to end\n>>>\s*$/);
  await terminal.enter("hi");
  // A question in between: the next Ctrl-C is a first one again.
  await terminal.see(new RegExp(`${RegExp.escape(HELLO_SENTENCE)}\\s*\n>>>\\s*$`));
  await terminal.press("C-c");
  await terminal.see(/Ctrl-C again to end[^]*Ctrl-C again to end\n>>>\s*$/);
  await terminal.press("C-c");
  await terminal.see(/over 0\n\$\s*$/);
});

Deno.test("run says how to go on when the talk has grown too long for the model", async () => {
  await using server = await chatServer();
  await server.fetch("/admin/models/quick/settings", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ context: 256 }),
  }).then((answer) => answer.body!.cancel());
  await using terminal = await startTerminal({ columns: 120, env: cliEnv(server) });
  await terminal.enter("zombiecoder run quick");
  await terminal.see(/>>> $/m);
  await terminal.enter("hi");
  // It ends with the context.
  await terminal.see(/\none two[^>]*\n>>>\s*$/);
  await terminal.enter("and now?");
  await terminal.see(/context size[^]*\. \/clear forgets the talk so far\n>>>\s*$/);
  await terminal.enter("/clear");
  await terminal.enter("and now?");
  await terminal.see(/forgotten\n>>> and now\?\none two[^>]*\n>>>\s*$/);
});

Deno.test("run shows thoughts apart from the answer, and none without colours", async () => {
  await using server = await chatServer();
  await using terminal = await startTerminal({ env: cliEnv(server) });
  await terminal.enter("zombiecoder run thinking 2+2; echo over");
  await terminal.see(/\nTwo and two\.\n\nIt is four\.\nover/);
  const coloured = await terminal.coloured();
  assert.ok(coloured.includes("\x1b[2mTwo and two"), JSON.stringify(coloured));
  await terminal.clear();
  await terminal.enter("NO_COLOR=1 zombiecoder run thinking 2+2; echo end");
  await terminal.see(/It is four\.\nend/);
  const plain = await terminal.coloured();
  assert.ok(!plain.includes("\x1b[2mTwo"), JSON.stringify(plain));
});

Deno.test("run passes nothing of an answer on that a terminal would obey", async () => {
  await using server = await chatServer();
  await using terminal = await startTerminal({ env: cliEnv(server) });
  await terminal.enter("zombiecoder run hostile hi; echo over");
  const screen = await terminal.see(/\nover/);
  assert.match(screen, /\nA\[31mB\]0;ownedC2JDE\nover/);
  assert.ok(!(await terminal.coloured()).includes("\x1b[31m"));
});

Deno.test("run goes on after the server was killed in the middle of an answer", async () => {
  await using server = await chatServer();
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => void await endServer(server.home));
  const env = { ...await startEnv(server.home), ...cliEnv(server) };
  await using terminal = await startTerminal({ columns: 120, env });
  await terminal.enter("zombiecoder run endless; echo over $?");
  await terminal.see(/>>> $/m);
  await terminal.enter("hi");
  await terminal.see("one two three four one");
  server.kill("SIGKILL");
  const screen = await terminal.see(/Cannot (reach|go on)[^]*\n>>>\s*$/);
  assert.doesNotMatch(screen, /^\s+at /m);
  await server.status;
  // Another server is started for the next question.
  await terminal.enter("hi");
  await terminal.see(/Started the server at[^]*one two three/);
  await terminal.press("C-c");
  await terminal.see(/Stopped\n>>>\s*$/);
  await terminal.press("C-d");
  // What is typed until it has ended is its own.
  await terminal.see("over 0");
  await terminal.enter("zombiecoder stop --server");
  await terminal.see("Stopped the server");
});

Deno.test("run leaves the terminal as it was when it is ended from elsewhere, and comes back from Ctrl-Z", async () => {
  await using server = await chatServer();
  await using terminal = await startTerminal({ env: cliEnv(server) });
  await terminal.enter("set -m; zombiecoder run hello; echo over $?");
  await terminal.see(/>>> $/m);
  await terminal.type("half a qu");
  await terminal.press("C-z");
  await terminal.see(/Stopped/);
  await terminal.enter("stty -a | grep -o ' icanon'; fg");
  await terminal.see(/\n icanon\n[^]*>>> half a qu$/m);
  await terminal.type("estion");
  await terminal.see(/>>> half a question$/m);
  Deno.kill(talkIn(server), "SIGTERM");
  await terminal.see(/over \d+/);
  await terminal.clear();
  await terminal.enter("stty -a");
  assert.match(await terminal.see(/ echo /), / icanon /);
});

/** The process of the talk with this server. */
function talkIn(server: ServerProcess): number {
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const command = Deno.readTextFileSync(`/proc/${name}/cmdline`);
      const environment = Deno.readTextFileSync(`/proc/${name}/environ`);
      if (/\0run\0hello\0/.test(command) && environment.includes(server.home)) return Number(name);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
  throw new Error("No talk is running");
}

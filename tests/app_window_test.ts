// The dashboard in a window of its own, in a real Chromium on a real X server that nobody sees.

import assert from "node:assert/strict";
import { join } from "node:path";
import { runningServer } from "../src/host/detached_server.ts";
import { assertOneLine, cli, spawnCli } from "./support/cli.ts";
import { type DesktopUser, desktopUser, killNow } from "./support/desktop_user.ts";
import { listeningPorts } from "./support/listening_ports.ts";
import { startProgram } from "./support/program.ts";
import { until } from "./support/server_process.ts";

const WAIT_MS = 60_000;

function addressOf(user: DesktopUser): string {
  return runningServer(user.home)!.address;
}

/** The one window. A command ends when the browser has been told: the screen shows it a little later. */
function window(user: DesktopUser) {
  return until(async () => {
    const [first, ...others] = await user.screen.windows();
    return others.length === 0 ? first : null;
  }, WAIT_MS);
}

/** What a script in the page says. */
async function evaluate(user: DesktopUser, expression: string): Promise<unknown> {
  const [page] = await user.pages();
  const socket = new WebSocket(page!.webSocketDebuggerUrl);
  const answer = Promise.withResolvers<unknown>();
  socket.onopen = () =>
    socket.send(JSON.stringify({ id: 1, method: "Runtime.evaluate", params: { expression } }));
  // A page that is only just being opened has no answer yet.
  socket.onmessage = ({ data }) => answer.resolve(JSON.parse(data).result?.result.value);
  socket.onerror = () => answer.reject(new Error("The debugger does not answer"));
  const value = await answer.promise;
  const closed = Promise.withResolvers<void>();
  socket.onclose = () => closed.resolve();
  socket.close();
  await closed.promise;
  return value;
}

async function closeWindow(user: DesktopUser): Promise<void> {
  await user.screen.press((await window(user)).id, "ctrl+w");
}

async function killAllBut(user: DesktopUser, pid: number): Promise<void> {
  await until(() => {
    const others = user.processes().filter((each) => each !== pid);
    for (const each of others) killNow(each);
    return others.length === 0;
  }, WAIT_MS);
}

Deno.test("app opens one window without tabs, and a second start brings it to the front", async () => {
  await using user = await desktopUser("ব্যবহারকারী O'Brien");
  const first = await user.zombiecoder("app");
  assert.equal(first.code, 0, first.stderr);
  const address = addressOf(user);
  assert.equal(first.stdout, `Opened ${address}\n`);
  assert.equal(
    first.stderr,
    `Started the server at ${address}; zombiecoder stop --server ends it\n`,
  );

  const pages = await user.pages();
  assert.equal(pages.length, 1);
  assert.equal(new URL(pages[0]!.url).origin, address);
  const { id, instance } = await window(user);
  // One with tabs is called as the browser is.
  assert.equal(instance, "127.0.0.1");
  const standalone = "matchMedia('(display-mode: standalone)').matches";
  assert.equal(await until(() => evaluate(user, standalone) as Promise<boolean>, WAIT_MS), true);
  await until(async () => /ZombieCoder/.test((await window(user)).title), WAIT_MS);
  // Its profile is its user's alone, and beside what the server may write.
  const folder = join(user.runtimeHome, "app");
  const [own] = [...Deno.readDirSync(folder)];
  assert.equal(Deno.statSync(join(folder, own!.name)).mode! & 0o777, 0o700);

  await user.screen.openOther();
  await until(async () => {
    const [top, ...below] = await user.screen.windows();
    return below.length === 1 && top!.id !== id;
  }, WAIT_MS);
  for (
    const [args, said] of [
      [["app"], `Brought to the front: ${address}\n`],
      [[], `ZombieCoder is already running at ${address}\n`],
    ] as const
  ) {
    const again = await user.zombiecoder(...args);
    assert.deepEqual(again, { code: 0, stdout: said, stderr: "" });
    assert.equal((await user.pages()).length, 1);
    await until(async () => {
      const [top, ...below] = await user.screen.windows();
      return below.length === 1 && top!.id === id;
    }, WAIT_MS);
  }
  const refused = await user.zombiecoder("serve");
  assert.equal(refused.code, 1);
  assertOneLine(refused, "serve");
  assert.equal(refused.stderr, `ZombieCoder is already running at ${address}\n`);
});

Deno.test("When its window is closed or its browser dies, nothing is left but the server, and app opens it anew", async () => {
  await using user = await desktopUser("user");
  assert.equal((await user.zombiecoder("app")).code, 0);
  const { pid } = runningServer(user.home)!;
  assert.ok(user.processes().length > 2, "The browser's processes are not seen");
  await closeWindow(user);
  await until(() => {
    const [first, ...others] = user.processes();
    return first === pid && others.length === 0;
  }, WAIT_MS);

  const again = await user.zombiecoder("app");
  assert.deepEqual([again.code, again.stdout], [0, `Opened ${addressOf(user)}\n`], again.stderr);
  await window(user);
  await killAllBut(user, pid);
  // One that is killed while it opens the window holds nobody up.
  const killed = spawnCli(["app"], { env: user.env });
  await until(() => user.processes().some((each) => each !== pid && each !== killed.pid), WAIT_MS);
  killed.kill("SIGKILL");
  await killed.output();
  await killAllBut(user, pid);
  const third = await user.zombiecoder("app", "--json");
  const expected = { address: addressOf(user), shown: "opened" };
  assert.deepEqual([third.code, JSON.parse(third.stdout)], [0, expected], third.stderr);
  await window(user);
});

Deno.test("Four starts at once open one window; it follows a server that is started again elsewhere", async () => {
  await using user = await desktopUser("user");
  const all = await Promise.all([1, 2, 3, 4].map(() => user.zombiecoder("app", "--json")));
  for (const { code, stderr } of all) assert.equal(code, 0, stderr);
  assert.deepEqual(
    all.map(({ stdout }) => JSON.parse(stdout).shown).sort(),
    ["front", "front", "front", "opened"],
  );
  const { id } = await window(user);
  const before = addressOf(user);
  assert.equal((await user.zombiecoder("stop", "--server")).code, 0);
  const again = await user.zombiecoder("app");
  const address = addressOf(user);
  assert.notEqual(address, before);
  assert.deepEqual([again.code, again.stdout], [0, `Brought to the front: ${address}\n`]);
  assert.equal((await window(user)).id, id);
  await until(async () => {
    const [page, ...others] = await user.pages();
    return others.length === 0 && page!.url.startsWith(address);
  }, WAIT_MS);
});

Deno.test("The window's browser listens nowhere, and another user can read nothing of how it is reached", async () => {
  await using user = await desktopUser("user");
  const flags = user.env.ZOMBIE_APP_BROWSER_FLAGS!.replace(/--remote-debugging-port=\S+/, "");
  const env = { ...user.env, ZOMBIE_APP_BROWSER_FLAGS: flags };
  for (const said of [/^Opened /, /^Brought to the front: /]) {
    const { code, stdout, stderr } = await cli(["app"], { env });
    assert.equal(code, 0, stderr);
    assert.match(stdout, said);
  }
  const { pid, address } = runningServer(user.home)!;
  assert.ok(listeningPorts(pid).includes(Number(new URL(address).port)));
  const browser = user.processes().filter((each) => each !== pid);
  assert.ok(browser.length > 2);
  assert.deepEqual(browser.flatMap(listeningPorts), []);
  const [folder] = [...Deno.readDirSync(join(user.runtimeHome, "app"))];
  for (const name of ["in", "out"]) {
    const path = join(user.runtimeHome, "app", folder!.name, name);
    assert.deepEqual([Deno.statSync(path).isFifo, Deno.statSync(path).mode! & 0o777], [
      true,
      0o600,
    ]);
  }
});

Deno.test("A window is opened anew where its browser lives on with a page of another site", async () => {
  await using user = await desktopUser("user");
  assert.equal((await user.zombiecoder("app")).code, 0);
  const { id } = await window(user);
  await user.openElsewhere();
  await until(async () => (await user.screen.windows()).length === 2, WAIT_MS);
  await user.close((await user.pages()).find(({ url }) => url.startsWith("http:"))!);
  await until(async () => (await user.screen.windows()).every((each) => each.id !== id), WAIT_MS);
  const address = addressOf(user);
  for (const said of ["Opened", "Brought to the front:"]) {
    const { code, stdout, stderr } = await user.zombiecoder("app");
    assert.deepEqual([code, stdout], [0, `${said} ${address}\n`], stderr);
    const urls = (await user.pages()).map(({ url }) => new URL(url).protocol).sort();
    assert.deepEqual(urls, ["data:", "http:"]);
  }
  await until(async () => (await user.screen.windows())[0]?.instance === "127.0.0.1", WAIT_MS);
});

Deno.test("Without such a browser the user's own is told the address; without any, app says so", async () => {
  await using user = await desktopUser("user");
  const bin = join(user.home, "..", "bin");
  const told = join(bin, "told");
  await Deno.mkdir(bin);
  const script = `#!/bin/sh\nprintf '%s\\n' "$#" "$@" > '${told}'\n`;
  await Deno.writeTextFile(join(bin, "xdg-open"), script, { mode: 0o700 });
  // One that does not start is as one that is not there.
  await Deno.writeTextFile(join(bin, "chromium"), "#!/bin/sh\nexit 1\n", { mode: 0o700 });
  const key = "0123456789abcdef0123";
  const env = { ...user.env, PATH: bin, ZOMBIE_API_KEY: key };
  const opened = await cli(["app"], { env });
  const address = addressOf(user);
  assert.deepEqual(
    [opened.code, opened.stdout],
    [0, `Opened in your browser: ${address}\n`],
    opened.stderr,
  );
  // One argument, and no key in it: whoever is on this computer can list those.
  assert.equal(await Deno.readTextFile(told), `1\n${address}/\n`);
  assert.deepEqual(await user.screen.windows(), []);

  // A window for each folder of llama.cpp: whoever names another one is told.
  const elsewhere = join(user.home, "..", "else where");
  const other = await cli(["app", "--runtime-home", elsewhere], { env });
  assert.deepEqual(other, {
    code: 0,
    stdout: opened.stdout,
    stderr:
      `The server was started with --runtime-home ${user.runtimeHome}: give it here, too, and ` +
      "both use one window\n",
  });

  await Deno.remove(join(bin, "xdg-open"));
  for (
    const [more, message] of [
      [
        {},
        `Cannot open a window: no browser was found that would. Install one, or open ${address}/ in a browser\n`,
      ],
      [
        { DISPLAY: "" },
        `Cannot open a window: there is no desktop here. Open ${address}/ in a browser\n`,
      ],
    ] as const
  ) {
    const failed = await cli(["app"], { env: { ...env, ...more } });
    assert.deepEqual(failed, { code: 1, stdout: "", stderr: message });
  }
});

Deno.test("A start without a command serves and shows the page, unless it is told not to or nobody is there", async () => {
  await using user = await desktopUser("user");
  {
    await using program = startProgram([], user.env);
    await until(async () => (await user.screen.windows()).length === 1, WAIT_MS);
    const address = addressOf(user);
    assert.equal(program.stdout, `ZombieCoder is ready at ${address}\n`);
    await until(async () => (await user.pages())[0]?.url.startsWith(address), WAIT_MS);
    program.kill("SIGTERM");
    assert.equal((await program.ended).code, 0, program.stderr);
    assert.equal(program.stderr, "");
    // The window stays, as that of any other page would.
    await closeWindow(user);
    await until(() => user.processes().length === 0, WAIT_MS);
  }
  const folder = join(user.runtimeHome, "app");
  await Deno.remove(folder, { recursive: true });
  for (
    const [args, more] of [
      [["--no-open"], {}],
      [["serve"], {}],
      [[], { SSH_CONNECTION: "192.0.2.1 1 192.0.2.2 22" }],
      [[], { DISPLAY: "" }],
    ] as const
  ) {
    await using program = startProgram([...args], { ...user.env, ...more });
    await until(() => program.stdout.includes("\n"));
    assert.equal((await user.zombiecoder("run", "hello", "hi")).code, 0);
    program.kill("SIGTERM");
    assert.deepEqual([(await program.ended).code, program.stderr], [0, ""]);
    assert.deepEqual(await user.screen.windows(), []);
    // What it had started ends with it: in that moment, or in the next.
    await until(() => user.processes().length === 0, WAIT_MS);
    assert.throws(() => Deno.statSync(folder), Deno.errors.NotFound);
  }
});

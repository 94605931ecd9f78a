// `zombiecoder service` on Linux: against a stand-in for systemctl that keeps what it was asked, and with
// systemd itself as the manager of a user's services.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { endServer, runningServer } from "../src/host/detached_server.ts";
import { isCached } from "../src/host/service/service.ts";
import { HELLO_SENTENCE } from "../src/models/hello_model.ts";
import { assertOneLine, cli } from "./support/cli.ts";
import { isAlive } from "./support/model_processes.ts";
import { until } from "./support/server_process.ts";
import { userHome } from "./support/user_home.ts";
import { UserManager } from "./support/user_manager.ts";

/** What is said where these tests are run by `npx`. */
const CACHED = isCached(Deno.execPath())
  ? `The service starts ${Deno.execPath()}, which is gone when npm's cache is cleaned: install Deno or ` +
    "use the executable, then zombiecoder service install again\n"
  : "";
const NAME = "ব্যবহারকারী O'Brien 100% $HOME";

async function serviceUser() {
  await using stack = new AsyncDisposableStack();
  const user = stack.use(await userHome(NAME));
  const bin = join(user.outside, "bin");
  const asked = join(user.outside, "asked");
  const state = join(user.outside, "state");
  await Deno.mkdir(bin);
  await Deno.writeTextFile(asked, "");
  await Deno.writeTextFile(state, "disabled inactive");
  const rest = stack.move();
  return {
    ...user,
    unit: join(user.path, ".config", "systemd", "user", "zombiecoder.service"),
    env: { ...user.env, PATH: bin, XDG_CONFIG_HOME: "" },
    /** A systemctl that does this after it has kept what it was asked. */
    systemctl: (script: string) =>
      Deno.writeTextFile(
        join(bin, "systemctl"),
        `#!/bin/sh\nasked='${asked.replaceAll("'", "'\\''")}'\n` +
          `state='${state.replaceAll("'", "'\\''")}'\necho "$*" >> "$asked"\n${script}\n`,
        { mode: 0o700 },
      ),
    async asked(): Promise<string[]> {
      const lines = (await Deno.readTextFile(asked)).split("\n").slice(0, -1);
      await Deno.writeTextFile(asked, "");
      return lines;
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

/** Knows whether it was enabled; nothing runs. */
const KEEPING = `read -r enabled active < "$state"
case "$2" in
  enable) echo "enabled inactive" > "$state" ;;
  disable) echo "disabled inactive" > "$state" ;;
  is-enabled) echo "$enabled"; [ "$enabled" = enabled ] ;;
  is-active) echo "$active"; [ "$active" = active ] ;;
esac`;

Deno.test("service install, status and remove write a unit, tell systemd, and take both away again", async () => {
  await using user = await serviceUser();
  await user.systemctl(KEEPING);
  const { env, unit } = user;
  const none = await cli(["service"], { env });
  assert.deepEqual(none, {
    code: 0,
    stdout:
      "The service is not installed: zombiecoder service install does it\nNo server is running\n",
    stderr: "",
  });
  assert.deepEqual(await user.asked(), []);

  // A server that runs is not disturbed.
  assert.equal((await cli(["list"], { env })).code, 0);
  const { address } = runningServer(user.home)!;
  const installed = await cli(["service", "install", "--keep-alive", "1h"], {
    env: { ...env, HF_TOKEN: "hf_secret_secret" },
  });
  assert.deepEqual(installed, {
    code: 0,
    stdout: `Installed the service in ${unit}: it starts when you log in\n` +
      "A server is running already: the service takes its place when you log in next, or with " +
      "zombiecoder stop --server and zombiecoder service install\n",
    stderr: "The service starts without HF_TOKEN: others may read a service's settings\n" +
      CACHED,
  });
  assert.deepEqual(await user.asked(), [
    "--user daemon-reload",
    "--user enable zombiecoder.service",
    "--user is-enabled zombiecoder.service",
    "--user is-active zombiecoder.service",
  ]);
  const text = await Deno.readTextFile(unit);
  assert.match(text, /^ExecStart=:"\/.+" "serve" "--no-open" .*"--keep-alive=1h"/m);
  assert.match(text, /"--runtime-ports=28080-28100"/);
  assert.doesNotMatch(text, /secret/);
  const status = await cli(["service", "status", "--json"], { env });
  assert.deepEqual(JSON.parse(status.stdout), {
    installed: true,
    enabled: true,
    running: false,
    path: unit,
    home: user.home,
    gone: null,
    address,
  });
  const removed = await cli(["service", "remove"], { env });
  assert.deepEqual(removed, { code: 0, stdout: "Removed the service\n", stderr: "" });
  assert.deepEqual((await user.asked()).slice(-2), [
    "--user disable --now zombiecoder.service",
    "--user daemon-reload",
  ]);
  assert.throws(() => Deno.statSync(unit), Deno.errors.NotFound);
  const again = await cli(["service", "remove", "--json"], { env });
  assert.deepEqual([again.code, again.stdout], [0, '{"removed":false}\n']);
  assert.equal(runningServer(user.home)?.address, address);
});

Deno.test("service status speaks of the service's own home, and takes folders of other programs along", async () => {
  await using user = await serviceUser();
  await user.systemctl(KEEPING);
  const { unit } = user;
  const named = { OLLAMA_MODELS: join(user.outside, "o 1"), HF_HOME: "~/hf", LLAMA_CACHE: "here" };
  const env = { ...user.env, ...named };
  const other = join(user.outside, "other");
  // Both homes have a server; nothing starts what the stand-in is told to start.
  assert.equal((await cli(["list", "--home", other], { env })).code, 0);
  try {
    assert.equal((await cli(["service", "install", "--home", other], { env })).code, 0);
    const text = await Deno.readTextFile(unit);
    assert.ok(text.includes(`\nEnvironment="OLLAMA_MODELS=${named.OLLAMA_MODELS}"\n`), text);
    assert.match(text, /^Environment="HF_HOME=\/.+\/hf"$/m);
    // What is relative means nothing to anybody.
    assert.doesNotMatch(text, /LLAMA_CACHE/);
    const { address } = runningServer(other)!;
    const status = await cli(["service", "status"], { env });
    assert.ok(
      status.stdout.endsWith(`\nIts home: ${other}\nThe server runs at ${address}\n`),
      status.stdout,
    );
    const json = JSON.parse((await cli(["service", "--json"], { env })).stdout);
    assert.deepEqual([json.home, json.address], [other, address]);
    // A service of another home is no reason to start one beside a server that runs.
    assert.equal((await cli(["list"], { env })).code, 0);
    await user.systemctl(KEEPING.replace('echo "$active"', "echo active"));
    await user.asked();
    const mine = await cli(["service", "install"], { env });
    assert.match(mine.stdout, /A server is running already/);
    assert.ok((await user.asked()).every((line) => !line.includes("restart")));
  } finally {
    await endServer(other);
  }
  await endServer(user.home);
  await user.systemctl(KEEPING.replace('echo "$active"', "echo active"));
  const unready = await cli(["service", "status"], { env });
  assert.match(unready.stdout, /, and runs\n[^]*Its server is not ready yet: zombiecoder logs may/);
});

Deno.test("service says at its installation that npm's cache may be cleaned, and later what is gone", async () => {
  await using user = await serviceUser();
  await user.systemctl(KEEPING);
  const { env, unit } = user;
  for (const path of ["/home/u/.npm/_npx/7a/node_modules/@deno/x/deno", "C:\\c\\_npx\\deno.exe"]) {
    assert.ok(isCached(path), path);
  }
  for (const path of ["/usr/bin/deno", "/home/u/_npx.d/deno", "/usr/lib/node_modules/deno/deno"]) {
    assert.ok(!isCached(path), path);
  }
  // Nothing starts what the stand-in is told to start.
  assert.equal((await cli(["list"], { env })).code, 0);
  // The same Deno where npx would have it, and where a user has it.
  for (const [folder, isWarned] of [["_npx", true], ["bin here", false]] as const) {
    const deno = join(user.outside, folder, "deno");
    await Deno.mkdir(dirname(deno), { recursive: true });
    await Deno.copyFile(Deno.execPath(), deno);
    const got = await cli(["service", "install"], { env, deno });
    assert.equal(got.stderr.includes(`The service starts ${deno}, which is gone when`), isWarned);
    assert.match(got.stdout, /^Installed the service in /);
    const there = await cli(["service", "status"], { env });
    assert.doesNotMatch(there.stdout, /It cannot start/);
    await Deno.remove(deno);
    const gone = await cli(["service", "status"], { env });
    assert.ok(
      gone.stdout.includes(
        `It cannot start: ${deno} is not there any more. zombiecoder service install names what is ` +
          "there now\n",
      ),
      gone.stdout,
    );
    assert.equal(gone.code, 0);
    const json = await cli(["service", "status", "--json"], { env });
    assert.equal(JSON.parse(json.stdout).gone, deno);
  }
  // The folder of the sources may go as well.
  assert.equal((await cli(["service", "install"], { env })).stderr, CACHED);
  const text = await Deno.readTextFile(unit);
  const script = new URL("../main.ts", import.meta.url);
  const moved = `${script.href.slice(0, -"main.ts".length)}no-more/main.ts`;
  assert.ok(text.includes(`"${script.href}"`));
  await Deno.writeTextFile(unit, text.replace(script.href, moved));
  const json = await cli(["service", "status", "--json"], { env });
  assert.equal(JSON.parse(json.stdout).gone, new URL(moved).pathname);
});

Deno.test("Where systemd will not, a service is not left half installed, and the reason is one line", async () => {
  await using user = await serviceUser();
  const { env, unit } = user;
  const words = ["service", "install"];
  const absent = await cli(words, { env });
  assert.equal(absent.code, 1);
  assertOneLine(absent, "absent");
  assert.match(absent.stderr, /no systemctl/);
  assert.throws(() => Deno.statSync(unit), Deno.errors.NotFound);

  // Nothing of what was made for it stays, and what was there does.
  const settings = join(user.path, ".config");
  assert.throws(() => Deno.statSync(settings), Deno.errors.NotFound);
  await user.systemctl('echo "Failed to connect to bus: No medium found" >&2; exit 1');
  const unreached = await cli(words, { env });
  assert.deepEqual([unreached.code, unreached.stdout], [1, ""]);
  assertOneLine(unreached, "unreached");
  assert.match(
    unreached.stderr,
    /: systemctl said "Failed to connect to bus: No medium found"\. Log in as this user .*XDG_RUNTIME_DIR=\/run\/user\/\d+ /,
  );
  assert.throws(() => Deno.statSync(settings), Deno.errors.NotFound);
  await Deno.mkdir(join(settings, "systemd"), { recursive: true });
  for (const refused of ["daemon-reload", "enable", "restart"]) {
    await user.systemctl(
      `[ "$2" = ${refused} ] && { echo "Failed: No medium found" >&2; exit 1; }\n${KEEPING}`,
    );
    const got = await cli(words, { env });
    assert.equal(got.code, 1, refused);
    assert.equal(
      got.stderr,
      `Cannot do "${refused}" for the service: systemctl said "Failed: No medium found"\n`,
    );
    assert.throws(() => Deno.statSync(unit), Deno.errors.NotFound);
    assert.deepEqual([...Deno.readDirSync(join(settings, "systemd"))], []);
  }

  // What somebody else wrote there is theirs.
  await user.systemctl(KEEPING);
  await user.asked();
  await Deno.mkdir(join(unit, ".."), { recursive: true });
  await Deno.writeTextFile(unit, "[Service]\nExecStart=/bin/true\n");
  for (const action of ["install", "remove", "status"]) {
    const got = await cli(["service", action], { env });
    assert.equal(got.code, 1, action);
    assert.equal(
      got.stderr,
      `Cannot use "${unit}" for the service: it was not written by zombiecoder. Remove it and try again\n`,
    );
  }
  assert.equal(await Deno.readTextFile(unit), "[Service]\nExecStart=/bin/true\n");
  assert.deepEqual(await user.asked(), []);
  await Deno.remove(unit);

  const key = "0123456789abcdef0123";
  const secret = await cli(words, { env: { ...env, ZOMBIE_API_KEY: key } });
  assert.deepEqual([secret.code, secret.stdout], [2, ""]);
  assert.match(secret.stderr, /--api-key-file FILE\n$/);
  const word = await cli(["service", "start"], { env });
  assert.deepEqual([word.code, word.stdout], [2, ""]);
  assertOneLine(word, "start");
  assert.deepEqual(await user.asked(), []);
});

// Nobody else may have a manager beside the one of their session.
if (Deno.uid() === 0) {
  Deno.test("A service under systemd itself answers, comes back when it dies, and is gone when it is removed", async () => {
    await using user = await userHome(NAME);
    await using manager = await UserManager.start(user.path);
    // systemd gives a service a PATH of its own: only a bubblewrap of this machine lies on it.
    const env = { ...user.env, ...manager.env, ZOMBIE_CAGE: "auto" };
    const file = join(user.outside, "key");
    const key = "0123456789abcdef0123";
    await Deno.writeTextFile(file, `${key}\n`, { mode: 0o600 });
    async function zombiecoder(...args: string[]): Promise<string> {
      const { code, stdout, stderr } = await cli(args, { env });
      const said = args[1] === "install" ? CACHED : "";
      assert.deepEqual([code, stderr], [0, said], args.join(" "));
      return stdout;
    }

    const said = await zombiecoder("service", "install", "--api-key-file", file);
    const { pid, address } = runningServer(user.home)!;
    assert.ok(said.endsWith(`it starts when you log in\nIt runs now at ${address}\n`), said);
    const run = ["run", "hello", "hi", "--api-key-file", file];
    assert.equal(await zombiecoder(...run), `${HELLO_SENTENCE}\n`);
    assert.equal((await fetch(`${address}/v1/models`)).status, 401);
    assert.ok(!Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes(key));
    assert.match(
      await zombiecoder("service", "status"),
      /^The service is installed, starts when you log in, and runs\n/,
    );

    // Installed again, it is the same service with what is said now.
    await zombiecoder("service", "install", "--keep-alive", "7m");
    const second = runningServer(user.home)!;
    assert.ok(second.pid !== pid && !isAlive(pid));
    assert.match(await zombiecoder("service", "status"), / and runs\n/);
    Deno.kill(second.pid, "SIGKILL");
    const third = await until(() => {
      const now = runningServer(user.home);
      return now !== null && now.pid !== second.pid ? now : null;
    }, 60_000);
    assert.equal(await zombiecoder("run", "hello", "hi"), `${HELLO_SENTENCE}\n`);

    // Asked to end, it stays so until the next login.
    await zombiecoder("stop", "--server");
    await until(async () =>
      / starts when you log in, and does not run\n/.test(await zombiecoder("service", "status"))
    );
    assert.ok(!isAlive(third.pid));
    await zombiecoder("service", "install");
    const last = runningServer(user.home)!;
    assert.equal(await zombiecoder("service", "remove"), "Removed the service\n");
    assert.ok(!isAlive(last.pid));
    const settings = join(user.path, ".config", "systemd", "user");
    const left = [...Deno.readDirSync(settings)].flatMap(({ name, isDirectory }) =>
      isDirectory ? [...Deno.readDirSync(join(settings, name))].map((each) => each.name) : [name]
    );
    assert.deepEqual(left, []);
    await endServer(user.home);
  });
}

import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { endServer } from "../src/host/detached_server.ts";
import { prepareSocketFolder, removeSocket } from "../src/host/socket_folder.ts";
import { cli, startEnv } from "./support/cli.ts";
import { failure } from "./support/failure.ts";
import { instancesWith } from "./support/instance_processes.ts";
import { tempDir } from "./support/temp_dir.ts";

function optionsOf(base: string, home = "/home/u/.zombie_model") {
  return { runtimeDir: null, tmpDir: base, home, platform: "linux" };
}

function prepare(base: string, home?: string) {
  return prepareSocketFolder(optionsOf(base, home));
}

async function prepareWithOpenMask(base: string): Promise<string> {
  const program = new URL("support/open_umask.ts", import.meta.url).href;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "--quiet", program, JSON.stringify(optionsOf(base))],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test("prepareSocketFolder() makes a folder that nobody else can enter, one for each home", async () => {
  await using dir = await tempDir();
  const path = await prepareWithOpenMask(dir.path);
  assert.equal(Deno.lstatSync(path).mode! & 0o777, 0o700);
  const { dir: again, places } = prepare(dir.path);
  assert.equal(again, path);
  assert.equal(places.length, 64);
  assert.deepEqual(places[0], { socketPath: join(path, "00.sock") });
  assert.deepEqual(places[63], { socketPath: join(path, "63.sock") });
  assert.notEqual(prepare(dir.path, "/home/u/other").dir, path);
});

Deno.test("prepareSocketFolder() closes its own folder again, and removes sockets alone", async () => {
  await using dir = await tempDir();
  const { dir: path } = prepare(dir.path);
  Deno.chmodSync(path, 0o777);
  Deno.listen({ transport: "unix", path: join(path, "00.sock") }).close();
  Deno.writeTextFileSync(join(path, "63.sock"), "");
  Deno.writeTextFileSync(join(path, "kept"), "");
  prepare(dir.path);
  assert.equal(Deno.lstatSync(path).mode! & 0o777, 0o700);
  assert.deepEqual([...Deno.readDirSync(path)].map(({ name }) => name), ["kept"]);
});

Deno.test("prepareSocketFolder() goes beside what stands in its folder's place, and leaves that alone", async () => {
  await using dir = await tempDir();
  const { dir: path } = prepare(dir.path);
  const elsewhere = join(dir.path, "elsewhere");
  Deno.mkdirSync(elsewhere, { mode: 0o755 });
  Deno.writeTextFileSync(join(elsewhere, "00.sock"), "precious");
  const replacements: Record<string, () => void> = {
    "a link to a folder of ours": () => Deno.symlinkSync(elsewhere, path),
    "a link to nothing": () => Deno.symlinkSync(join(dir.path, "nothing"), path),
    "a file": () => Deno.writeTextFileSync(path, ""),
  };
  // Only the system's own user may give a folder away.
  if (Deno.uid() === 0) {
    replacements["the folder of another user"] = () => {
      Deno.mkdirSync(path, { mode: 0o700 });
      Deno.chownSync(path, 65_534, 65_534);
    };
    const like = `${path}-${"0".repeat(8)}`;
    Deno.mkdirSync(like, { mode: 0o700 });
    Deno.chownSync(like, 65_534, 65_534);
  }
  Deno.writeTextFileSync(`${path}-${"x".repeat(100)}`, "");
  const used = new Set<string>();
  for (const [name, replace] of Object.entries(replacements)) {
    Deno.removeSync(path, { recursive: true });
    replace();
    const { dir: other, places } = prepare(dir.path);
    used.add(other);
    assert.match(other.slice(path.length), /^-[0-9a-f]{8}$/, name);
    assert.equal(other.slice(0, path.length), path);
    const info = Deno.lstatSync(other);
    assert.deepEqual([info.isDirectory, info.uid, info.mode! & 0o777], [true, Deno.uid(), 0o700]);
    assert.deepEqual(places[0], { socketPath: join(other, "00.sock") });
  }
  // What one start leaves when it is killed, the next one takes.
  assert.equal(used.size, 1);
  assert.equal(Deno.readTextFileSync(join(elsewhere, "00.sock")), "precious");
  assert.equal(Deno.lstatSync(elsewhere).mode! & 0o777, 0o755);
  assert.throws(() => Deno.lstatSync(join(dir.path, "nothing")), Deno.errors.NotFound);
});

Deno.test("prepareSocketFolder() takes the session's folder only where it is one of this user", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  for (const name of ["tmp", "session", "other"]) Deno.mkdirSync(at(name));
  Deno.writeTextFileSync(at("file"), "");
  const options = { tmpDir: at("tmp"), home: dir.path, platform: "linux" };
  const bases: [runtimeDir: string | null, base: string][] = [
    [at("session"), "session"],
    [null, "tmp"],
    [at("absent"), "tmp"],
    [at("file"), "tmp"],
    ["relative/dir", "tmp"],
    [".", "tmp"],
    ["  ", "tmp"],
    ["/proc", "tmp"],
    ["/nonexistent/run", "tmp"],
  ];
  if (Deno.uid() === 0) {
    Deno.chownSync(at("other"), 65_534, 65_534);
    bases.push([at("other"), "tmp"]);
  }
  for (const [runtimeDir, base] of bases) {
    using sockets = prepareSocketFolder({ ...options, runtimeDir });
    assert.equal(dirname(sockets.dir), at(base), String(runtimeDir));
  }
  for (const tmpDir of [at("absent"), at("file"), ".", "relative/dir"]) {
    using sockets = prepareSocketFolder({ ...options, runtimeDir: null, tmpDir });
    assert.equal(dirname(sockets.dir), "/tmp", tmpDir);
  }
  assert.deepEqual([...Deno.readDirSync(at("session"))], []);
});

Deno.test("prepareSocketFolder() says of each place why it will not do", async () => {
  await using dir = await tempDir();
  const absent = join(dir.path, "absent");
  const file = join(dir.path, "file");
  Deno.writeTextFileSync(file, "");
  // As on a system whose only place for that is the one that was named.
  const { code, message } = failure(() =>
    prepareSocketFolder({
      ...{ runtimeDir: absent, tmpDir: file, home: "/h", platform: "linux" },
      mayUse: (path) => !path.startsWith("/tmp/zombiecoder-"),
    })
  );
  assert.equal(code, "folder_unusable");
  assert.ok(message.startsWith(`Cannot make a private folder for sockets in "${absent}": No such`));
  assert.ok(message.includes(`; nor in "${file}": it is not a folder. Set TMPDIR to a folder`));
});

Deno.test("prepareSocketFolder() removes its folder when it is disposed of, but nothing that is not its own", async () => {
  await using dir = await tempDir();
  {
    using sockets = prepare(dir.path);
    Deno.mkdirSync(join(sockets.dir, "00"));
    Deno.listen({ transport: "unix", path: join(sockets.dir, "00", "s.sock") }).close();
    Deno.writeTextFileSync(join(sockets.dir, "00.sock"), "");
  }
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
  const sockets = prepare(dir.path);
  Deno.writeTextFileSync(join(sockets.dir, "kept"), "");
  Deno.writeTextFileSync(join(sockets.dir, "00.sock"), "");
  sockets[Symbol.dispose]();
  assert.deepEqual([...Deno.readDirSync(sockets.dir)].map(({ name }) => name), ["kept"]);
  Deno.removeSync(sockets.dir, { recursive: true });
  sockets[Symbol.dispose]();
});

Deno.test("prepareSocketFolder() goes where the name is short enough, counted in bytes", async () => {
  await using dir = await tempDir();
  // As many letters as fit, of three bytes each: the system counts those.
  const room = 103 - join(dir.path, "/zombiecoder-0-0123456789ab/00.sock").length - 8;
  for (const letter of ["x", "ক"]) {
    const base = join(dir.path, letter.repeat(room));
    Deno.mkdirSync(base);
    const { dir: path, places } = prepare(base, dir.path);
    try {
      assert.equal(path.startsWith(base), letter === "x");
      assert.equal(Deno.lstatSync(path).mode! & 0o777, 0o700);
      // It can really be listened on.
      const [place] = places;
      assert.ok(place !== undefined && "socketPath" in place);
      Deno.listen({ transport: "unix", path: place.socketPath }).close();
    } finally {
      Deno.removeSync(path, { recursive: true });
    }
  }
});

Deno.test("prepareSocketFolder() chooses free ports of loopback where there are no sockets", async () => {
  await using dir = await tempDir();
  const { places } = prepareSocketFolder({
    ...{ runtimeDir: null, tmpDir: dir.path, home: "/h", platform: "windows" },
  });
  const ports = new Set(places.map((place) => "port" in place ? place.port : 0));
  assert.equal(ports.size, 64);
  let taken = 0;
  for (const port of ports) {
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      taken++;
    }
  }
  // Another program of this computer may have got one of them since.
  assert.ok(taken <= 2, `${taken} of them are in use`);
});

Deno.test("removeSocket() removes a socket, and a link but not what it leads to", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "00.sock");
  removeSocket(path);
  Deno.writeTextFileSync(join(dir.path, "precious"), "");
  Deno.symlinkSync(join(dir.path, "precious"), path);
  removeSocket(path);
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name), ["precious"]);
});

Deno.test("A start is not kept from its sockets by others, nor by folders that are not there", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  Deno.mkdirSync(at("tmp"));
  const path = prepare(at("tmp"), at("home")).dir;
  Deno.removeSync(path);
  // As another user can in a folder that all may write to.
  Deno.writeTextFileSync(path, "");
  const table: [env: Record<string, string>, base: string][] = [
    [{ XDG_RUNTIME_DIR: "/nonexistent/run", TMPDIR: at("tmp") }, `${path}-`],
    [{ XDG_RUNTIME_DIR: ".", TMPDIR: "/nonexistent" }, `/tmp/${basename(path)}/`],
  ];
  for (const [env, base] of table) {
    // In the background, whose start is told of by a file in the temporary folder.
    const flags = ["--home", at("home"), "--runtime-home", at("runtime")];
    const started = await cli(["load", "hello", ...flags], {
      env: { ...await startEnv(at("home")), ...env },
      cwd: dir.path,
    });
    assert.equal(started.code, 0, started.stderr);
    try {
      assert.equal(instancesWith(base).length, 1, base);
    } finally {
      await endServer(at("home"));
    }
  }
  assert.deepEqual([...Deno.readDirSync(at("tmp"))].map(({ name }) => name), [basename(path)]);
  assert.throws(() => Deno.lstatSync(`/tmp/${basename(path)}`), Deno.errors.NotFound);
});

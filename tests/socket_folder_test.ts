import assert from "node:assert/strict";
import { join } from "node:path";
import { prepareSocketFolder, removeSocket } from "../src/host/socket_folder.ts";
import { failure } from "./support/failure.ts";
import { startProgram } from "./support/program.ts";
import { tempDir } from "./support/temp_dir.ts";

function prepare(base: string, home = "/home/u/.zombie_model") {
  return prepareSocketFolder({ base, home, platform: "linux" });
}

Deno.test("prepareSocketFolder() makes a folder that nobody else can enter, one for each home", async () => {
  await using dir = await tempDir();
  const before = Deno.umask(0);
  try {
    const { dir: path, places } = prepare(dir.path);
    assert.equal(Deno.lstatSync(path).mode! & 0o777, 0o700);
    assert.equal(places.length, 64);
    assert.deepEqual(places[0], { socketPath: join(path, "00.sock") });
    assert.deepEqual(places[63], { socketPath: join(path, "63.sock") });
    assert.equal(prepare(dir.path).dir, path);
    assert.notEqual(prepare(dir.path, "/home/u/other").dir, path);
  } finally {
    Deno.umask(before);
  }
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

Deno.test("prepareSocketFolder() refuses a link, a file, and the folder of another user", async () => {
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
  }
  for (const [name, replace] of Object.entries(replacements)) {
    Deno.removeSync(path, { recursive: true });
    replace();
    const error = failure(() => prepare(dir.path));
    assert.equal(error.code, "folder_unusable", name);
    assert.match(error.message, /it is not a folder of this user\. Remove it and start again$/);
  }
  assert.equal(Deno.readTextFileSync(join(elsewhere, "00.sock")), "precious");
  assert.equal(Deno.lstatSync(elsewhere).mode! & 0o777, 0o755);
  assert.throws(() => Deno.lstatSync(join(dir.path, "nothing")), Deno.errors.NotFound);
});

Deno.test("prepareSocketFolder() says where a folder cannot be made", async () => {
  await using dir = await tempDir();
  assert.equal(failure(() => prepare(join(dir.path, "absent"))).code, "folder_unusable");
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
  const { places } = prepareSocketFolder({ base: dir.path, home: "/h", platform: "windows" });
  const ports = new Set(places.map((place) => "port" in place ? place.port : 0));
  assert.equal(ports.size, 64);
  for (const port of ports) Deno.listen({ hostname: "127.0.0.1", port }).close();
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

Deno.test("A start in a socket folder of somebody else ends with 1 and one line", async () => {
  await using dir = await tempDir();
  const home = join(dir.path, "home");
  const { dir: path } = prepare(dir.path, home);
  Deno.removeSync(path);
  Deno.symlinkSync(dir.path, path);
  const folders = ["--home", home, "--runtime-home", join(dir.path, "runtime")];
  const args = ["serve", ...folders, "--port", "0", "--no-open"];
  await using program = startProgram(args, { XDG_RUNTIME_DIR: dir.path });
  assert.equal((await program.ended).code, 1);
  assert.equal(
    program.stderr,
    `Cannot use "${path}" for sockets: it is not a folder of this user. Remove it and start again\n`,
  );
});

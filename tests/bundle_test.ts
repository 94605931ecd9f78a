// The program as a bundle, copied to where nothing else is.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleProgram } from "../build/bundle_program.ts";
import { PROGRAM } from "../build/output_folder.ts";
import { withoutThisMachine } from "../build/bundled_modules.ts";
import { BUNDLE_FLAGS } from "../src/host/program_files.ts";
import { testRuntime } from "./support/llama_server.ts";
import {
  addressOf,
  checkServes,
  emptyPlace,
  OWN_PORTS,
  version,
} from "./support/packed_program.ts";
import { until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

/** What every test here runs is bundled once. */
let bundling: Promise<{ scripts: Map<string, string>; packages: ReadonlySet<string> }> | null =
  null;

function bundled() {
  return bundling ??= (async () => {
    await using dir = await tempDir();
    const { scripts, packages } = await bundleProgram(dir.path);
    const texts = scripts.map((name) =>
      [name, Deno.readTextFileSync(join(dir.path, name))] as const
    );
    return { scripts: new Map(texts), packages: new Set(packages.keys()) };
  })();
}

/** Copies it; returns how it is started. */
async function copyTo(folder: string): Promise<string[]> {
  await Deno.mkdir(folder);
  for (const [name, text] of (await bundled()).scripts) {
    await Deno.writeTextFile(join(folder, name), text);
  }
  return [Deno.execPath(), "run", ...BUNDLE_FLAGS, join(folder, PROGRAM)];
}

Deno.test("The bundle is the program and what runs in its Workers, and names nothing of where it was made", async () => {
  const { scripts } = await bundled();
  assert.deepEqual([...scripts.keys()], ["zombiecoder.js", "server.js", "bandwidth_worker.js"]);
  for (const [name, text] of scripts) {
    assert.ok(!text.includes(Deno.cwd()), name);
    assert.doesNotMatch(text, /^(\/\/ | {2}")\.\.\//m, name);
  }
  assert.match(scripts.get("server.js")!, /^\/\/ npm:hono@/m);
  await using place = await emptyPlace();
  const command = await copyTo(join(place.path, "bundle"));
  for (const name of scripts.keys()) {
    const path = join(dirname(command.at(-1)!), name);
    const told = await place.run([Deno.execPath()], ["info", "--json", "--no-config", path]);
    const { modules } = JSON.parse(told.text) as { modules: { specifier: string }[] };
    const others = modules.map(({ specifier }) => specifier)
      .filter((specifier) => !specifier.startsWith("node:"));
    assert.deepEqual(others, [pathToFileURL(path).href]);
  }
});

Deno.test("withoutThisMachine() names packages as they are imported, and leaves texts alone", () => {
  const path = "../../a user/.cache/deno/npm/registry.example/@a/b/1.2.3/dist/x.js";
  assert.equal(
    withoutThisMachine(`// ${path}\nvar x = __esm({\n  "${path}"() {\n    y("${path}");`),
    `// npm:@a/b@1.2.3/dist/x.js\nvar x = __esm({\n  "npm:@a/b@1.2.3/dist/x.js"() {\n    y("${path}");`,
  );
});

Deno.test("The bundle serves the page and answers from an empty folder, with no cache and no network", async () => {
  await using place = await emptyPlace();
  const command = await copyTo(join(place.path, "bundle"));
  await checkServes(command, place);
  const said = await place.run(command, ["version"]);
  assert.deepEqual(said, { code: 0, text: `zombiecoder ${await version()}\n` });
  // By its own first line, where a Deno is found.
  if (Deno.build.os !== "windows") {
    await Deno.symlink(Deno.execPath(), join(place.path, "bin", "deno"));
    const script = command.at(-1)!;
    await Deno.chmod(script, 0o755);
    assert.deepEqual(await place.run([script], ["version"]), said);
  }
  const help = await place.run(command, ["help"]);
  assert.match(help.text, /^Usage: zombiecoder \[COMMAND\]/);
});

Deno.test("A command of the bundle starts its server in the background, and ends it", async () => {
  await using place = await emptyPlace();
  const command = await copyTo(join(place.path, "bundle"));
  const flags = [...OWN_PORTS, "--llama-server", await testRuntime()];
  const listed = await place.run(command, ["list", ...flags]);
  try {
    assert.equal(listed.code, 0, listed.text);
    assert.match(listed.text, /^hello +\d+ kB/m);
    assert.match(listed.text, /Started the server at http:/);
  } finally {
    const stopped = await place.run(command, ["stop", "--server"]);
    assert.equal(stopped.code, 0, stopped.text);
  }
  assert.equal((await place.run(command, ["stop", "--server"])).text.includes("Stopped"), false);
  assert.deepEqual(place.wentOut, []);
});

/** Runs first in the server's own Worker, and says there what it may. */
const ATTEMPTS = `
const attempts = {
  read: () => Deno.readTextFileSync("/etc/passwd"),
  "read beside": () => Deno.readTextFileSync(new URL("./zombiecoder.js", import.meta.url)),
  run: () => new Deno.Command(Deno.execPath()).outputSync(),
  env: () => Deno.env.get("HOME"),
  write: () => Deno.writeTextFileSync(new URL("./written", import.meta.url), ""),
  net: () => Deno.listen({ hostname: "127.0.0.1", port: 9 }),
  sys: () => Deno.hostname(),
  ffi: () => Deno.dlopen("libc.so.6", {}),
};
for (const [name, attempt] of Object.entries(attempts)) {
  let result = "done";
  try { attempt(); } catch (error) { result = error.name; }
  console.error("attempt", name, result);
}
`;

Deno.test("The Workers of a bundle are found, and its server runs in its scope", async () => {
  await using place = await emptyPlace();
  const folder = join(place.path, "bundle");
  const command = await copyTo(folder);
  const server = (await bundled()).scripts.get("server.js")!;
  await Deno.writeTextFile(join(folder, "server.js"), ATTEMPTS + server);
  const worker = join(folder, "bandwidth_worker.js");
  await Deno.writeTextFile(worker, 'console.error("measures");', { append: true });
  const flags = ["--llama-server", await testRuntime()];
  let hasMeasured = false;
  // A measurement is over within a second, whether its Worker has come to run by then or not, and the
  // next one is a minute away; a program that is started anew begins at once.
  for (let start = 0; start < 5 && !hasMeasured; start++) {
    await using program = place.start(command, ["serve", ...OWN_PORTS, ...flags]);
    const url = await addressOf(program);
    const endMs = performance.now() + 5_000;
    await until(async () => {
      // Whoever asks for models is told how fast they would be.
      await (await fetch(`${url}/admin/models`)).body?.cancel();
      hasMeasured = /^measures$/m.test(program.stderr);
      return hasMeasured || performance.now() > endMs;
    }, 60_000);
    program.kill("SIGTERM");
    assert.equal((await program.ended).code, 0, program.stderr);
    const results = [...program.stderr.matchAll(/^attempt (.+) (\w+)$/gm)];
    assert.deepEqual(
      results.map(([, name, result]) => [name, result]),
      ["read", "read beside", "run", "env", "write", "net", "sys", "ffi"].map((name) => [
        name,
        "NotCapable",
      ]),
    );
  }
  assert.ok(hasMeasured, "The Worker that measures was never run");
});

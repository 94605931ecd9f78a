import assert from "node:assert/strict";
import { join } from "node:path";
import { KnownLibraries, librariesOf } from "../src/host/cage_libraries.ts";
import { listedFolders } from "../src/host/cage_view.ts";
import { neededBy } from "../src/host/elf_needed.ts";
import { probeOptions, testCage } from "./support/caged_program.ts";
import { Children } from "./support/children.ts";
import { copiedEngine, prefixedEngine } from "./support/copied_engine.ts";
import { testRuntime } from "./support/llama_server.ts";
import { modelProcesses } from "./support/model_processes.ts";
import { Random } from "./support/random.ts";
import { startServer } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

const CPU = { gpu: false, isOurs: false };
const GPU = { gpu: true, isOurs: false };

/** Empty files by their paths below the folder; `NAME -> TARGET` is a link. */
function makeTree(folder: string, names: readonly string[]): void {
  for (const each of names) {
    const [name, target] = each.split(" -> ") as [string, string?];
    const path = join(folder, name);
    Deno.mkdirSync(join(path, ".."), { recursive: true });
    if (target === undefined) Deno.writeTextFileSync(path, "");
    else Deno.symlinkSync(target, path);
  }
}

const ENGINE = ["llama-server", "libggml.so -> libggml.so.0", "libggml.so.0", "libggml-cpu-x64.so"];
const SYSTEM = "/usr/lib";

/** What lies below the folder, by its name there. */
function seenIn(folder: string, libraries: readonly string[]): string[] {
  return libraries.filter((path) => path === folder || path.startsWith(`${folder}/`))
    .map((path) => path.slice(folder.length + 1)).sort();
}

Deno.test("librariesOf() gives the folder of a build that brings all, else the system's as well", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  makeTree(at("own"), [...ENGINE, "ld-linux-x86-64.so.2", "libc.so.6", "runtime.json"]);
  makeTree(at("plain"), [...ENGINE, "llama-cli", "rpc-server", "LICENSE-curl"]);
  assert.deepEqual(librariesOf(at("own/llama-server"), CPU), [at("own")]);
  const plain = librariesOf(at("plain/llama-server"), CPU);
  assert.ok(plain.includes(SYSTEM));
  assert.deepEqual(seenIn(dir.path, plain), ["plain"]);
  assert.ok(librariesOf(at("own/llama-server"), GPU).includes(SYSTEM), "drivers");
});

const FOREIGN: string[] = [
  ...["id_rsa", ".ssh/id_rsa", ".bashrc", "sh", "other.gguf", "notes.txt", "llama.cpp.tar.gz"],
  ...["bin/x", "libnotes.so.txt", "llama-key -> ../elsewhere", "library"],
];

Deno.test("librariesOf() gives of a folder with anything else the program and its libraries alone", async () => {
  await using dir = await tempDir();
  for (const [index, name] of FOREIGN.entries()) {
    const folder = join(dir.path, String(index));
    makeTree(folder, [...ENGINE, name]);
    const libraries = librariesOf(join(folder, "llama-server"), GPU);
    assert.deepEqual(
      seenIn(folder, libraries),
      [...ENGINE.map((each) => each.split(" ")[0]!)].sort(),
      name,
    );
    const view = { libraries, files: [], writable: null, gpu: false, privateBytes: null };
    assert.deepEqual(listedFolders(view), [folder], "its backends are found by listing");
    // What we installed is held against its record, where nothing foreign passes.
    assert.deepEqual(
      seenIn(folder, librariesOf(join(folder, "llama-server"), { gpu: false, isOurs: true })),
      [""],
    );
  }
});

Deno.test("librariesOf() gives what is needed and what is opened by its name, since each file takes time", async () => {
  await using dir = await tempDir();
  const program = await copiedEngine(dir.path);
  makeTree(dir.path, ["notes.txt", "libother.so", "libggml-new.so", "libggml-gone.so -> gone"]);
  const seen = seenIn(dir.path, librariesOf(program, CPU));
  for (const name of ["llama-server", "libggml-base.so.0", "libggml-new.so"]) {
    assert.ok(seen.includes(name), name);
  }
  for (const name of ["libother.so", "notes.txt"]) assert.ok(!seen.includes(name), name);
  assert.ok(seenIn(dir.path, librariesOf(program, GPU)).includes("libother.so"));
});

Deno.test("librariesOf() gives a driver's data beside its library to a launch that uses a GPU alone", async () => {
  await using dir = await tempDir();
  makeTree(dir.path, [...ENGINE, "librocblas.so.5", "rocblas/library/a.dat", "notes.txt"]);
  const path = join(dir.path, "llama-server");
  assert.ok(!seenIn(dir.path, librariesOf(path, CPU)).includes("rocblas"));
  assert.ok(seenIn(dir.path, librariesOf(path, GPU)).includes("rocblas"));
});

Deno.test("librariesOf() gives of PREFIX/lib what llama.cpp needs, and nothing else of it", async () => {
  await using dir = await tempDir();
  const program = await prefixedEngine(dir.path);
  makeTree(join(dir.path, "lib"), ["libsecret.so.1", "python3/site.py", "llama-notes"]);
  const seen = seenIn(join(dir.path, "lib"), librariesOf(program, CPU));
  for (const name of neededBy(program)) {
    const isThere = [...Deno.readDirSync(join(dir.path, "lib"))].some((each) => each.name === name);
    assert.equal(seen.includes(name), isThere, name);
  }
  assert.ok(seen.some((name) => name.startsWith("libggml-base.so")));
  for (const name of ["libsecret.so.1", "python3", "llama-notes", ""]) {
    assert.ok(!seen.includes(name), name);
  }
});

Deno.test("neededBy() reads the names from the file itself, and none from what is no such file", async () => {
  await using dir = await tempDir();
  assert.ok(neededBy(await testRuntime()).includes("libc.so.6"));
  const at = (name: string) => join(dir.path, name);
  assert.deepEqual(neededBy(at("gone")), []);
  assert.deepEqual(neededBy(dir.path), []);
  const whole = Deno.readFileSync(await testRuntime());
  for (let length = 0; length < 8_192; length += 61) {
    Deno.writeFileSync(at("cut"), whole.subarray(0, length));
    for (const name of neededBy(at("cut"))) assert.match(name, /^[^/]*$/);
  }
  const random = new Random(1);
  for (let round = 0; round < 300; round++) {
    const broken = whole.slice(0, 32_768);
    for (let each = 0; each < 8; each++) {
      broken[random.below(round % 2 === 0 ? 900 : broken.length)] = random.below(256);
    }
    Deno.writeFileSync(at("broken"), broken);
    for (const name of neededBy(at("broken"))) assert.doesNotMatch(name, /\//);
  }
});

Deno.test("KnownLibraries sees what comes and goes, and else reads no folder", async () => {
  await using dir = await tempDir();
  makeTree(dir.path, [...ENGINE, "notes.txt"]);
  const program = join(dir.path, "llama-server");
  const known = new KnownLibraries();
  const added = join(dir.path, "libggml-new.so");
  assert.ok(!known.of(program, CPU).includes(added));
  Deno.writeTextFileSync(added, "");
  assert.ok(known.of(program, CPU).includes(added));
  // A second name, as other tests make of llama-server, is a change, too.
  const settled = Deno.execPath();
  assert.equal(known.of(settled, CPU), known.of(settled, CPU));
  assert.notEqual(known.of(settled, CPU), known.of(settled, GPU));
});

for (const kind of ["bubblewrap", "landlock"] as const) {
  Deno.test(`A llama-server in a folder with other files shows none of them (${kind})`, async () => {
    await using dir = await tempDir();
    const program = await copiedEngine(join(dir.path, "home"));
    makeTree(join(dir.path, "home"), [".ssh/id_rsa", "models/other.gguf", "notes.txt"]);
    const secrets = [".ssh/id_rsa", "models/other.gguf", "notes.txt"].map((name) =>
      join(dir.path, "home", name)
    );
    for (const path of secrets) Deno.writeTextFileSync(path, "SECRET\n");
    const libraries = librariesOf(program, CPU);
    assert.ok(!libraries.includes(join(dir.path, "home")));
    await using children = new Children();
    const child = await children.start({
      program: "/bin/sh",
      args: [
        "-c",
        'for f; do if read -r line <"$f"; then echo "read $line"; else echo refused; fi; done; echo over',
        "sh",
        ...secrets,
        program,
      ],
      walls: {
        // A shell is no model: what the filter refuses is another test's.
        cage: { ...await testCage(kind), filters: null },
        view: {
          libraries: [
            "/usr/lib",
            "/lib",
            "/lib64",
            Deno.realPathSync("/bin/sh"),
            "/bin/sh",
            ...libraries,
          ],
          files: [],
          writable: null,
          gpu: false,
          privateBytes: null,
        },
      },
    });
    await child.exited;
    assert.deepEqual(child.lines.filter((line) => /^(?:read S|refused|over)/.test(line)), [
      ...["refused", "refused", "refused", "over"],
    ]);
    assert.equal(child.lines.filter((line) => line.startsWith("read ")).length, 1, "the program");
  });

  for (
    const place of [
      "a folder of its own",
      "a folder with other files",
      "PREFIX/bin, its libraries in PREFIX/lib",
    ]
  ) {
    Deno.test(`A llama-server in ${place} answers in its cage (${kind})`, async () => {
      await using dir = await tempDir();
      const isPrefixed = place.startsWith("PREFIX");
      const program = isPrefixed ? await prefixedEngine(dir.path) : await copiedEngine(dir.path);
      const isShared = place !== "a folder of its own";
      if (isShared) Deno.writeTextFileSync(join(program, "../notes.txt"), "SECRET\n");
      assert.equal(librariesOf(program, CPU).includes(join(program, "..")), !isShared);
      const { programs } = await probeOptions(kind);
      await using server = await startServer({
        entry: "tests/support/caged_main.ts",
        flags: ["--cage", "require", "--llama-server", program],
        env: { ZOMBIE_TEST_CAGE_PROGRAMS: JSON.stringify(programs) },
      });
      const answer = await server.post("/v1/chat/completions", {
        model: "hello",
        messages: [{ role: "user", content: "hi" }],
      });
      assert.equal(answer.status, 200, await answer.text());
      if (kind === "landlock") return;
      const { pid } = modelProcesses(server.home)[0]!;
      const inside = `/proc/${pid}/root${join(program, "..")}`;
      const names = [...Deno.readDirSync(inside)].map(({ name }) => name);
      assert.ok(names.includes("llama-server") && !names.includes("notes.txt"), names.join());
    });
  }
}

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { findCagePrograms, probeCage } from "../src/host/cage_probe.ts";
import { openingIn } from "../src/host/cage_proof.ts";
import type { CageKind } from "../src/host/cage_view.ts";
import { probeOptions } from "./support/caged_program.ts";
import { isAlive } from "./support/model_processes.ts";
import { until } from "./support/server_process.ts";
import { testBwrap } from "./support/test_cage.ts";
import { tempDir } from "./support/temp_dir.ts";

Deno.test("findCagePrograms() takes the system's, and absolute folders of PATH after them", async () => {
  await using dir = await tempDir();
  for (const name of ["bwrap", "setpriv", "sandbox-exec"]) {
    Deno.writeTextFileSync(join(dir.path, name), "#!/bin/sh\n", { mode: 0o755 });
  }
  const { bwrap, setpriv } = findCagePrograms("linux", `.::relative:${dir.path}`);
  const own = findCagePrograms("linux", null);
  assert.ok(own.setpriv !== null, "util-linux is on every Linux");
  assert.deepEqual([bwrap, setpriv], [own.bwrap ?? join(dir.path, "bwrap"), own.setpriv]);
  const { sandboxExec } = findCagePrograms("darwin", dir.path);
  assert.notEqual(sandboxExec, join(dir.path, "sandbox-exec"));
  assert.deepEqual(findCagePrograms("windows", dir.path), {
    bwrap: null,
    setpriv: null,
    sandboxExec: null,
  });
});

/** What bwrap writes where it is not let, and what is said of it. */
const REFUSALS: [script: string, reason: RegExp][] = [
  [
    "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1",
    /forbids bubblewrap its namespaces\. Allow them by "sudo sysctl kernel\.apparmor_restrict_unprivileged_userns=0"/,
  ],
  [
    "echo 'bwrap: No permissions to create new namespace, likely because...' >&2; exit 1",
    /kernel\.unprivileged_userns_clone=1", in a container by its settings$/,
  ],
  [
    "echo 'bwrap: something else' >&2; exit 1",
    /^bubblewrap does not work here \(bwrap: something else\)/,
  ],
  ["exit 3", /^bubblewrap does not work here \(code 3\)/],
];

Deno.test("probeCage() says why bubblewrap cannot be and what to do, and takes none that does not work", async () => {
  await using dir = await tempDir();
  const options = await probeOptions("none");
  const missing = await probeCage(options);
  assert.equal(missing.cage, null);
  assert.match(missing.reason!, /^bubblewrap is not installed\. Install it, on Debian and Ubuntu/);
  for (const [index, [script, reason]] of REFUSALS.entries()) {
    const bwrap = join(dir.path, `bwrap-${index}`);
    Deno.writeTextFileSync(bwrap, `#!/bin/sh\n[ "$1" = --help ] && exit 0\n${script}\n`, {
      mode: 0o755,
    });
    const found = await probeCage({ ...options, programs: { ...options.programs, bwrap } });
    assert.equal(found.cage, null);
    assert.match(found.reason!, reason);
  }
  const windows = await probeCage({ ...options, platform: "windows" });
  assert.match(windows.reason!, /^Windows has no cage/);
});

Deno.test("probeCage() takes no cage in which a graphics card is not seen", async () => {
  const options = await probeOptions("bubblewrap");
  const card = { name: "CUDA0", description: "", total_bytes: 1, free_bytes: 1 };
  const runtime = { ...options.runtime, devices: [card] };
  const { cage, reason } = await probeCage({ ...options, runtime });
  assert.equal(cage, null);
  assert.match(reason!, /hides the graphics card \(CUDA0\)/);
});

/** Takes every option of walls, and puts up none. */
const NO_WALLS = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"';

Deno.test("probeCage() takes no cage that lets the program run and does not hold", async () => {
  await using dir = await tempDir();
  const options = await probeOptions("none");
  const at = (name: string) => join(dir.path, name);
  const script = (path: string, text: string) => {
    Deno.writeTextFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return path;
  };
  const bwrap = script(at("bwrap"), `[ "$1" = --help ] && exit 0\n${NO_WALLS}`);
  const help = '[ "$1" = --help ] && { echo --landlock-access --seccomp-filter; exit; }';
  const setpriv = script(at("setpriv"), `${help}\n${NO_WALLS}`);
  const open = await probeCage({ ...options, programs: { ...options.programs, bwrap } });
  assert.equal(open.cage, null);
  assert.match(
    open.reason!,
    /^bubblewrap does not hold here \(a program in it reads \/etc\/passwd\)/,
  );
  const both = await probeCage({ ...options, programs: { ...options.programs, bwrap, setpriv } });
  assert.equal(both.cage, null);
  // Only a part of it is left out.
  const real = await testBwrap();
  for (
    const [left, reason] of [
      ["--unshare-all", "--unshare-net --unshare-uts"],
      ["--unshare-all", "--unshare-pid --unshare-uts"],
    ] as const
  ) {
    const text =
      `for word; do shift; [ "$word" = ${left} ] && set -- "$@" ${reason} || set -- "$@" "$word"; done
exec '${real}' "$@"`;
    const part = script(at("part"), text);
    const found = await probeCage({ ...options, programs: { ...options.programs, bwrap: part } });
    assert.equal(found.cage, null, reason);
    assert.match(found.reason!, /^bubblewrap does not hold here/);
  }
});

const HOLDS = "pid 2\nnet Inter-| Receive\nnet face |bytes\nnet lo: 0 0 0\nnet tunl0:0 0\nover\n";

Deno.test("openingIn() believes what a shell in the walls found, and no silence", () => {
  const ended = { code: 0, stderr: "", timedOut: false };
  const opening = (stdout: string, kind: CageKind = "bubblewrap") =>
    openingIn(kind, { ...ended, stdout });
  assert.equal(opening(HOLDS), null);
  assert.equal(opening("pid 2\nover"), null, "a system that has no such table");
  assert.match(opening(HOLDS.replace("pid 2", "pid 31000"))!, /among those of the system/);
  assert.match(opening(HOLDS.replace("lo: 0", "lo: 71"))!, /sees the network/);
  assert.match(opening(`read /etc/passwd\n${HOLDS}`)!, /reads \/etc\/passwd/);
  assert.match(opening("")!, /says: nothing/);
  assert.match(opening("read /etc/passwd\nover", "landlock")!, /reads/);
  assert.equal(opening("pid 31000\nover", "landlock"), null);
  assert.match(
    openingIn("landlock", { ...ended, stdout: "", stderr: "sh: not found\nx" })!,
    /says: sh: not found$/,
  );
});

Deno.test("probeCage() keeps its filters where it can, and has a cage without them where it cannot", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  Deno.writeTextFileSync(at("file"), "");
  Deno.mkdirSync(at("others"));
  Deno.chmodSync(at("others"), 0o777);
  Deno.symlinkSync(dir.path, at("link"));
  const options = await probeOptions("bubblewrap");
  const second = await probeCage({ ...options, folders: [at("file/.cage"), at("second")] });
  assert.equal(second.reason, null);
  assert.ok(second.cage!.filters!.plain.startsWith(at("second/")));
  for (const name of ["file/.cage", "others", "link"]) {
    const { cage, reason } = await probeCage({ ...options, folders: [at(name)] });
    assert.equal(cage?.kind, "bubblewrap", name);
    assert.equal(cage.filters, null);
    assert.match(
      reason!,
      /^The cage holds without its filter of system calls, which cannot be kept in/,
    );
    assert.match(reason!, /Make that folder writable, or choose another with --runtime-home$/);
  }
  const landlock = await probeOptions("landlock");
  const { cage, reason } = await probeCage({ ...landlock, folders: [at("file/.cage")] });
  assert.deepEqual([cage?.kind, cage?.filters], ["landlock", null]);
  assert.match(
    reason!,
    /--runtime-home\. Until then Landlock holds: it closes the files, but not the network/,
  );
});

Deno.test("probeCage() asks nothing more of a program that does not end, and leaves nothing of it", async () => {
  await using dir = await tempDir();
  const pids = join(dir.path, "pids");
  const bwrap = join(dir.path, "bwrap");
  Deno.writeTextFileSync(bwrap, `#!/bin/sh\nsleep 600 &\necho $$ $! >>'${pids}'\nwait\n`, {
    mode: 0o755,
  });
  const options = await probeOptions("none");
  const programs = { ...options.programs, bwrap };
  const { cage, reason } = await probeCage({ ...options, programs });
  assert.equal(cage, null);
  assert.match(reason!, /^bubblewrap does not work here \(".*" has no end\)/);
  const started = () => Deno.readTextFileSync(pids).trim().split(/\s/).map(Number);
  assert.equal(started().length, 2, "it was asked once");
  await until(() => started().every((pid) => !isAlive(pid)));

  Deno.removeSync(pids);
  const ending = new AbortController();
  const asked = probeCage({ ...options, programs, signal: ending.signal });
  await until(() => {
    try {
      return started().length === 2;
    } catch {
      return false;
    }
  });
  ending.abort(new Error("over"));
  await assert.rejects(asked, /over/);
  await until(() => started().every((pid) => !isAlive(pid)));
});

Deno.test("probeCage() is honest about a Landlock without a filter", async () => {
  await using dir = await tempDir();
  const options = await probeOptions("landlock");
  const setpriv = join(dir.path, "setpriv");
  // As util-linux 2.40 was: Landlock, and no filter.
  const text = `[ "$1" = --help ] && { echo --landlock-access; exit; }
    exec '${options.programs.setpriv}' "$@"`;
  Deno.writeTextFileSync(setpriv, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  const { cage, reason } = await probeCage({
    ...options,
    programs: { ...options.programs, setpriv },
  });
  assert.equal(cage?.kind, "landlock", reason!);
  assert.equal(cage.filters, null);
  assert.match(reason!, /closes the files, but not the network nor the signals to other programs$/);
});

Deno.test("probeCage() writes a filter anew that somebody changed", async () => {
  // In a folder of its own: other tests start programs with the filters that all share.
  await using dir = await tempDir();
  const options = { ...await probeOptions("bubblewrap"), folders: [dir.path] };
  const { cage, reason } = await probeCage(options);
  assert.equal(cage?.kind, "bubblewrap", reason!);
  const path = cage.filters!.plain;
  assert.equal(dirname(path), dir.path);
  const bytes = Deno.readFileSync(path);
  const changed = bytes.slice();
  changed[4] = 0xff;
  Deno.writeFileSync(path, changed);
  assert.equal((await probeCage(options)).cage?.filters?.plain, path);
  assert.deepEqual(Deno.readFileSync(path), bytes);
});

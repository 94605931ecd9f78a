// A setpriv that knows Landlock and filters: this machine's, else the newest of Debian's, with the C library
// it was made for, as a script in a folder of this user.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { PrivateApt, unpackPackage } from "../../src/host/debian_packages.ts";
import { startWritten } from "./just_written.ts";
import { makeOwnFolder } from "./llama_server.ts";

const KEYRINGS = ["debian-archive-keyring.gpg", "debian-archive-keyring.pgp"];

let finding: Promise<string> | null = null;

export function landlockSetpriv(): Promise<string> {
  return finding ??= find();
}

async function find(): Promise<string> {
  if (await knowsLandlock("/usr/bin/setpriv")) return "/usr/bin/setpriv";
  const folder = join(tmpdir(), `zombiecoder-test-setpriv-${Deno.uid() ?? "user"}`);
  await makeOwnFolder(folder);
  const script = join(folder, "setpriv");
  if (await knowsLandlock(script)) return script;
  // Other files' tests may want it at the same moment: they wait for the first.
  using lock = await Deno.open(`${script}.lock`, { create: true, write: true });
  await lock.lock(true);
  if (await knowsLandlock(script)) return script;
  // Of a fetch that was broken off something may be left.
  const work = await Deno.makeTempDir({ dir: folder, prefix: "root-" });
  const root = join(work, "root");
  const apt = join(work, "apt");
  Deno.mkdirSync(apt);
  const signal = AbortSignal.timeout(300_000);
  const keyring = KEYRINGS.map((name) => `/usr/share/keyrings/${name}`).find(isThere);
  if (keyring === undefined) throw new Error("Install the package debian-archive-keyring");
  const codename = codenameOf(Deno.readTextFileSync("/etc/os-release"));
  const privateApt = await PrivateApt.open({ codename, keyring, folder: apt, signal });
  const request = {
    suite: "sid",
    packages: ["util-linux"],
    unneeded: ["debconf", "libpam-runtime"],
  };
  for (const each of await privateApt.fetch(request)) await unpackPackage(each.path, root, signal);
  await Deno.remove(apt, { recursive: true });
  const libraries = [...Deno.readDirSync(join(root, "usr/lib"))]
    .map(({ name }) => join(root, "usr/lib", name)).find((path) => path.endsWith("-linux-gnu"))!;
  const loader = [...Deno.readDirSync(libraries)]
    .find(({ name }) => /^ld-linux.*\.so\.\d+$/.test(name))!.name;
  const line =
    `exec "${libraries}/${loader}" --library-path "${libraries}" "${root}/usr/bin/setpriv"`;
  const aside = join(work, "setpriv");
  Deno.writeTextFileSync(aside, `#!/bin/sh\n${line} "$@"\n`, { mode: 0o755 });
  Deno.renameSync(aside, script);
  if (!await knowsLandlock(script)) throw new Error("Debian's newest setpriv knows no Landlock");
  return script;
}

async function knowsLandlock(program: string): Promise<boolean> {
  try {
    const help = () => new Deno.Command(program, { args: ["--help"] }).output();
    const { stdout } = await startWritten(help);
    const text = new TextDecoder().decode(stdout);
    return text.includes("--landlock-access") && text.includes("--seccomp-filter");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function codenameOf(text: string): string | null {
  return /^VERSION_CODENAME=(.*)$/m.exec(text)?.[1] ?? null;
}

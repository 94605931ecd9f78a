// Debian's packages without touching the system: a private apt with its own lists, cache and
// state, from the machine's own mirror, every signature checked by apt. Which packages, and what
// becomes of them, is install_debian.ts's.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { runProgram, type RunResult } from "./run_program.ts";

export interface PackageRequest {
  suite: string;
  /** Names; a pattern takes the newest package whose name it matches, or none. */
  packages: readonly (string | RegExp)[];
  /** Dependencies that the programs we start never use: not fetched where apt can do without. */
  unneeded: readonly string[];
}

export interface FetchedPackage {
  name: string;
  version: string;
  /** The `.deb`. */
  path: string;
  sha256: string;
}

export interface AptOptions {
  /** Of the installed release, such as `bookworm`; null where os-release has none. */
  codename: string | null;
  keyring: string;
  /** Private folder for all of apt's files. */
  folder: string;
  signal: AbortSignal;
}

const UPDATE_TIMEOUT_MS = 180_000;
const DOWNLOAD_TIMEOUT_MS = 900_000;
const LOCAL_TIMEOUT_MS = 60_000;

const RELEASE_WORDS = ["stable", "testing", "unstable", "sid", "oldstable", "oldoldstable"];

/**
 * The machine's mirrors of the distribution itself, the most likely first; never a name of our
 * own.
 */
export function mirrorsIn(indexTargets: string, codename: string | null): string[] {
  const ranked: { rank: number; uri: string }[] = [];
  for (const line of indexTargets.split("\n")) {
    const [code, release, component, origin, uri] = line.split("|");
    if (component !== "main" || uri === undefined) continue;
    if (!/^[a-z][a-z0-9+.-]*:[^\s"[\]]+$/.test(uri) || uri.startsWith("cdrom:")) continue;
    const ours = codename !== null && (code === codename || release === codename);
    if (!ours && !RELEASE_WORDS.includes(release ?? "")) continue;
    ranked.push({ rank: (ours ? 0 : 2) + (origin === "Debian" ? 0 : 1), uri });
  }
  return [...new Set(ranked.sort((a, b) => a.rank - b.rank).map((each) => each.uri))];
}

/** Fetches packages with all they need. Throws an Error with apt's own reason. */
export class PrivateApt {
  readonly #options: AptOptions;
  readonly #architecture: string;

  private constructor(options: AptOptions, architecture: string) {
    this.#options = options;
    this.#architecture = architecture;
  }

  static async open(options: AptOptions): Promise<PrivateApt> {
    // The path is written into apt's configuration, which knows no escape for these.
    if (/["\\\n]/.test(options.folder)) {
      throw new Error(`apt cannot use the folder "${options.folder}"`);
    }
    const result = await run("dpkg", ["--print-architecture"], options, LOCAL_TIMEOUT_MS);
    return new PrivateApt(options, result.stdout.trim());
  }

  get architecture(): string {
    return this.#architecture;
  }

  async fetch(request: PackageRequest): Promise<FetchedPackage[]> {
    const { folder, codename, keyring } = this.#options;
    const format = "$(CODENAME)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(REPO_URI)";
    const targets = await this.#system("apt-get", [
      "indextargets",
      "--format",
      format,
      "Identifier: Packages",
    ]);
    const mirrors = mirrorsIn(targets, codename);
    // As where it has never fetched its lists: what it knows of mirrors lies beside those.
    if (mirrors.length === 0) {
      throw new Error(
        "apt on this machine knows no mirror of Debian: run sudo apt update, then try again",
      );
    }
    await this.#configure();
    const reasons: string[] = [];
    for (const mirror of mirrors) {
      const line = `deb [signed-by=${keyring}] ${mirror} ${request.suite} main\n`;
      await Deno.writeTextFile(join(folder, "sources.list"), line);
      try {
        await this.#apt("apt-get", ["-q", "update"], UPDATE_TIMEOUT_MS);
        return await this.#download(await this.#plan(request));
      } catch (error) {
        this.#options.signal.throwIfAborted();
        reasons.push(error instanceof Error ? error.message : String(error));
      }
    }
    throw new Error(reasons.join("; "));
  }

  /** The packages and all that they depend on, as `name=version`. */
  async #plan(request: PackageRequest): Promise<string[]> {
    const names = (await this.#apt("apt-cache", ["pkgnames"], LOCAL_TIMEOUT_MS)).split("\n");
    const wanted = request.packages.flatMap((name) => {
      if (typeof name === "string") return [name];
      const matching = names.filter((each) => name.test(each));
      return matching.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).slice(-1);
    });
    const install = ["-q", "-y", "--no-install-recommends", "--print-uris", "install", ...wanted];
    let listed: string;
    try {
      await this.#pretendInstalled(request.unneeded);
      listed = await this.#apt("apt-get", install, LOCAL_TIMEOUT_MS);
    } catch {
      // A dependency on an exact version of one of them: then they come along.
      await this.#pretendInstalled([]);
      listed = await this.#apt("apt-get", install, LOCAL_TIMEOUT_MS);
    }
    // 'http://.../zlib1g_1.3_amd64.deb' zlib1g_1%3a1.3_amd64.deb 92424 MD5Sum:...
    const line = /^'[^']*' ([a-z0-9][a-z0-9.+-]*)_([^_\s]+)_[a-z0-9]+\.deb \d+ /gm;
    return [...listed.matchAll(line)].map((match) =>
      `${match[1]}=${decodeURIComponent(match[2]!)}`
    );
  }

  async #download(plan: readonly string[]): Promise<FetchedPackage[]> {
    const folder = join(this.#options.folder, "debs");
    await Deno.mkdir(folder, { recursive: true });
    // apt compares each file with the digest in the signed list.
    await this.#apt("apt-get", ["-q", "download", ...plan], DOWNLOAD_TIMEOUT_MS, folder);
    const fetched: FetchedPackage[] = [];
    for await (const entry of Deno.readDir(folder)) {
      const [name, version] = entry.name.split("_");
      if (!entry.isFile || name === undefined || version === undefined) continue;
      const path = join(folder, entry.name);
      const hash = createHash("sha256").update(await Deno.readFile(path));
      fetched.push({
        name,
        version: decodeURIComponent(version),
        path,
        sha256: hash.digest("hex"),
      });
    }
    if (fetched.length !== plan.length) throw new Error("apt did not fetch every package");
    return fetched;
  }

  async #configure(): Promise<void> {
    const { folder } = this.#options;
    for (const name of ["empty", "state", "lists/partial", "cache/archives/partial"]) {
      await Deno.mkdir(join(folder, name), { recursive: true });
    }
    // The machine's way to the network (proxy, certificates, retries), but none of its hooks.
    const dump = await this.#system("apt-config", ["dump"]);
    const network = dump.split("\n").filter((line) =>
      /^Acquire::/.test(line) && !/^Acquire::(IndexTargets|Languages)\b/.test(line)
    );
    const settings: Record<string, string> = {
      "Dir::Etc::main": "/dev/null",
      "Dir::Etc::parts": join(folder, "empty"),
      "Dir::Etc::sourcelist": join(folder, "sources.list"),
      "Dir::Etc::sourceparts": join(folder, "empty"),
      "Dir::Etc::preferences": "/dev/null",
      "Dir::Etc::preferencesparts": join(folder, "empty"),
      "Dir::State": join(folder, "state"),
      "Dir::State::lists": join(folder, "lists"),
      "Dir::State::status": join(folder, "status"),
      "Dir::Cache": join(folder, "cache"),
      "Dir::Log": join(folder, "state"),
      "APT::Architecture": this.#architecture,
      "APT::Architectures::": this.#architecture,
      // Its own user could not reach a private folder.
      "APT::Sandbox::User": "root",
      "APT::Update::Error-Mode": "any",
      "APT::Get::AllowUnauthenticated": "false",
      "Acquire::AllowInsecureRepositories": "false",
      "Acquire::AllowWeakRepositories": "false",
      "Acquire::AllowDowngradeToInsecureRepositories": "false",
      "Acquire::Languages": "none",
      "Acquire::http::Timeout": "15",
      "Acquire::https::Timeout": "15",
    };
    const own = Object.entries(settings).map(([name, value]) => `${name} "${value}";`);
    await Deno.writeTextFile(join(folder, "apt.conf"), [...network, ...own, ""].join("\n"));
  }

  /** The private list of installed packages: nothing of the system's is taken for granted. */
  async #pretendInstalled(names: readonly string[]): Promise<void> {
    const records = names.map((name) =>
      `Package: ${name}\nStatus: install ok installed\nArchitecture: ${this.#architecture}\n` +
      "Multi-Arch: foreign\nVersion: 9999\nDescription: not needed here\n\n"
    );
    await Deno.writeTextFile(join(this.#options.folder, "status"), records.join(""));
  }

  async #apt(name: string, args: string[], timeoutMs: number, cwd?: string): Promise<string> {
    const environment = { APT_CONFIG: join(this.#options.folder, "apt.conf") };
    const options = { ...this.#options, environment, ...(cwd === undefined ? {} : { cwd }) };
    return (await run(name, args, options, timeoutMs)).stdout;
  }

  async #system(name: string, args: string[]): Promise<string> {
    return (await run(name, args, this.#options, LOCAL_TIMEOUT_MS)).stdout;
  }
}

/** Unpacks a `.deb` without running any of its scripts. */
export async function unpackPackage(
  path: string,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  await run("dpkg-deb", ["--extract", path, folder], { signal }, LOCAL_TIMEOUT_MS);
}

async function run(
  name: string,
  args: readonly string[],
  options: { signal: AbortSignal; cwd?: string; environment?: Record<string, string> },
  timeoutMs: number,
): Promise<RunResult> {
  const result = await runProgram(name, args, {
    // apt is the machine's own tool, and the user's proxy variables must reach it.
    inherit: true,
    environment: { ...options.environment, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    timeoutMs,
    signal: options.signal,
  });
  const command = `${name} ${args.find((arg) => !arg.startsWith("-")) ?? args[0]}`;
  if (result.timedOut) throw new Error(`"${command}" did not end within ${timeoutMs / 1000} s`);
  if (result.code === 0) return result;
  const said = result.stderr.split("\n").filter((line) => /^(E:|W: Failed|dpkg)/.test(line));
  const reason = said.map((line) => line.replace(/^[EW]: /, "").trim()).slice(0, 3).join(", ");
  throw new Error(`"${command}" failed: ${reason || `exit code ${result.code}`}`);
}

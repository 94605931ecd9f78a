// Programs that measure or check us: from PATH, else fetched from Debian into a private folder. Nothing of
// the system is touched.

import { access, mkdir, readdir, realpath, rename, rm } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { printProgress } from "./print.ts";

export interface Tool {
  readonly path: string;
  /** What it needs in its environment besides the usual. */
  readonly env: Readonly<Record<string, string>>;
  readonly version: string;
  readonly source: "PATH" | "private";
}

export interface ToolOptions {
  /** Where private programs are kept for the next run. */
  readonly cache: string;
  readonly ignorePath: boolean;
}

export type ToolName =
  | "wrk"
  | "nginx"
  | "promtool"
  | "tmux"
  | "zsh"
  | "fish"
  | "chromium"
  | "bwrap"
  | "Xvfb"
  | "xdotool"
  | "xwininfo";

interface ToolFacts {
  /** Debian's. */
  package: string;
  /** What it needs besides libraries. */
  alsoNeeds?: readonly string[];
  /** Its libraries need libraries again, and files beside them: all that the system lacks is fetched. */
  needsAll?: boolean;
  /** Where the program itself lies, if what is in `bin` only starts it from a fixed folder. */
  program?: string;
  versionFlag: string;
  version: RegExp;
}

const TOOLS: Readonly<Record<ToolName, ToolFacts>> = {
  wrk: { package: "wrk", versionFlag: "-v", version: /wrk[^\s]* .*/ },
  nginx: { package: "nginx", versionFlag: "-v", version: /nginx[^\s]* .*/ },
  promtool: {
    package: "prometheus",
    versionFlag: "--version",
    version: /promtool, version [^\s]+/,
  },
  bwrap: { package: "bubblewrap", versionFlag: "--version", version: /bubblewrap [\d.]+/ },
  tmux: { package: "tmux", versionFlag: "-V", version: /tmux [^\s]+/ },
  zsh: {
    package: "zsh",
    alsoNeeds: ["zsh-common"],
    versionFlag: "--version",
    version: /zsh [^\s]+/,
  },
  fish: {
    package: "fish",
    alsoNeeds: ["fish-common"],
    versionFlag: "--version",
    version: /fish, version [^\s]+/,
  },
  chromium: {
    package: "chromium",
    // Without them Bengali is shown as boxes.
    alsoNeeds: ["fonts-lohit-beng-bengali", "fonts-dejavu-core"],
    needsAll: true,
    program: "usr/lib/chromium/chromium",
    versionFlag: "--version",
    version: /Chromium [\d.]+/,
  },
  Xvfb: {
    package: "xvfb",
    // It starts the one with the data of the other.
    alsoNeeds: ["x11-xkb-utils", "xkb-data"],
    needsAll: true,
    // It tells no version.
    versionFlag: "-help",
    version: /use: X \S+/,
  },
  xdotool: {
    package: "xdotool",
    needsAll: true,
    versionFlag: "--version",
    version: /xdotool version [\d.]+/,
  },
  // With xev beside it.
  xwininfo: {
    package: "x11-utils",
    needsAll: true,
    versionFlag: "-version",
    version: /xwininfo [\d.]+/,
  },
};

const FETCH_TIMEOUT_MS = 300_000;

/** Throws an Error that says what to install where neither way works. */
export async function findTool(name: ToolName, options: ToolOptions): Promise<Tool> {
  const onPath = options.ignorePath ? null : await lookUp(name);
  if (onPath !== null) return await described(name, { path: onPath, env: {}, source: "PATH" });
  const root = join(options.cache, name);
  if (!await exists(root)) await fetchOnce(name, root);
  const path = await findProgram(root, name);
  const folders = await libraryFolders(root);
  const env = { LD_LIBRARY_PATH: folders.join(delimiter) };
  return await described(name, { path, env, source: "private" });
}

async function lookUp(name: ToolName): Promise<string | null> {
  const folders = (Deno.env.get("PATH") ?? "").split(delimiter);
  for (const folder of [...folders, "/usr/sbin"]) {
    if (folder !== "" && await exists(join(folder, name))) return join(folder, name);
  }
  return null;
}

/** Others may want it at the same moment, in this process and in others: they wait for the first. */
async function fetchOnce(name: ToolName, root: string): Promise<void> {
  await mkdir(dirname(root), { recursive: true });
  using lock = await Deno.open(`${root}.lock`, { create: true, write: true });
  await lock.lock(true);
  if (!await exists(root)) await fetchPrivately(name, root);
}

async function fetchPrivately(name: ToolName, root: string): Promise<void> {
  printProgress(`${name} is fetched from Debian into ${root}`);
  const unfinished = `${root}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  try {
    await mkdir(join(unfinished, "debs"), { recursive: true });
    await mkdir(join(unfinished, "apt", "lists", "partial"), { recursive: true });
    await mkdir(join(unfinished, "apt", "archives", "partial"), { recursive: true });
    const { package: main, alsoNeeds = [], needsAll = false } = TOOLS[name];
    await download([main, ...alsoNeeds], unfinished);
    const more = needsAll
      ? await missingOf([main, ...alsoNeeds], unfinished)
      : await librariesOf(name, unfinished);
    await download(more, unfinished);
    for (const file of await readdir(join(unfinished, "debs"))) {
      await run("dpkg-deb", ["-x", join(unfinished, "debs", file), unfinished]);
    }
    await rm(join(unfinished, "debs"), { recursive: true });
    await rm(join(unfinished, "apt"), { recursive: true });
    await rename(unfinished, root);
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true });
    throw new Error(`Cannot fetch ${name} from Debian: install it by hand`, { cause });
  }
}

// Lists and cache of its own: works without root, on an image whose lists were cleared too.
async function download(packages: readonly string[], root: string): Promise<void> {
  if (packages.length === 0) return;
  const cwd = join(root, "debs");
  const apart = ["-o", `Dir::Cache=${join(root, "apt")}`, "-qq"];
  const ownLists = [...apart, "-o", `Dir::State::Lists=${join(root, "apt", "lists")}`];
  if (process.getuid?.() === 0) ownLists.push("-o", "APT::Sandbox::User=root");
  try {
    await run("apt-get", [...apart, "download", ...packages], cwd);
  } catch {
    await run("apt-get", [...ownLists, "update"], cwd);
    await run("apt-get", [...ownLists, "download", ...packages], cwd);
  }
}

/** The libraries that a fetched package depends on, but for those that every system has. */
async function librariesOf(name: ToolName, root: string): Promise<string[]> {
  const debs = await readdir(join(root, "debs"));
  const deb = debs.find((file) => file.startsWith(`${TOOLS[name].package}_`));
  if (deb === undefined) throw new Error(`apt-get downloaded ${debs.join(", ")} only`);
  const depends = await run("dpkg-deb", ["-f", join(root, "debs", deb), "Depends"]);
  const names = depends.split(",").map((part) => /[\w.+-]+/.exec(part)?.[0] ?? "");
  return names.filter((each) => /^(lib|zlib)/.test(each) && !/^(libc6|libgcc|libnginx)/.test(each));
}

/** What the package manager would install for them on this system, but for themselves. */
async function missingOf(packages: readonly string[], root: string): Promise<string[]> {
  const plan = ["--simulate", "--no-install-recommends", "install", ...packages];
  const text = await run("apt-get", ["-qq", ...plan]).catch(() =>
    run("apt-get", ["-qq", "-o", `Dir::State::Lists=${join(root, "apt", "lists")}`, ...plan])
  );
  return [...text.matchAll(/^Inst (\S+)/gm)].map(([, each]) => each!)
    .filter((each) => !packages.includes(each));
}

async function findProgram(root: string, name: ToolName): Promise<string> {
  const { program } = TOOLS[name];
  if (program !== undefined && await exists(join(root, program))) return join(root, program);
  for (const folder of ["usr/bin", "usr/sbin", "bin"]) {
    const path = join(root, folder, name);
    if (await exists(path)) return await realpath(path);
  }
  throw new Error(`Cannot find ${name} in ${root}: remove this folder and try again`);
}

/** `lib/x86_64-linux-gnu` and its like, whatever the architecture. */
async function libraryFolders(root: string): Promise<string[]> {
  const folders: string[] = [];
  for (const parent of [join(root, "usr", "lib"), join(root, "lib")]) {
    if (!await exists(parent)) continue;
    for (const entry of await readdir(parent)) {
      if (!entry.includes("-linux-")) continue;
      folders.push(join(parent, entry));
      const own = join(parent, entry, "pulseaudio");
      if (await exists(own)) folders.push(own);
    }
  }
  return folders;
}

async function described(
  name: ToolName,
  { path, env, source }: Omit<Tool, "version">,
): Promise<Tool> {
  const { versionFlag, version } = TOOLS[name];
  // wrk calls `-v` a mistake and nginx writes to stderr: only the words count.
  const { stdout, stderr } = await new Deno.Command(path, { args: [versionFlag], env }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const said = version.exec(text)?.[0];
  if (said === undefined) throw new Error(`Cannot use ${path}: it said ${text}`);
  return { path, env, version: said.replace(/ Copyright.*/, ""), source };
}

async function run(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
    ...(cwd === undefined ? {} : { cwd }),
  }).output();
  if (code === 0) return new TextDecoder().decode(stdout);
  const words = new TextDecoder().decode(stderr);
  throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${words}`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

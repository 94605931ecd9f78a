// Where other programs keep models on this computer: the folders that the server may read beside its
// own. Chosen by environment and system alone, once at the start, never by what the server can write.

import { dirname, join, posix, sep, win32 } from "node:path";
import type { ImportRoot } from "./messages.ts";
import { realPlace } from "../real_place.ts";

/** What `readProcess()` knows of the user. */
export interface ImportPlaces {
  env: Readonly<Record<string, string | undefined>>;
  /** Null where this user has none. */
  homeDir: string | null;
  os: string;
}

/** Known by name only: nothing is looked at, and most of them are not there. */
export function importRoots(places: ImportPlaces): ImportRoot[] {
  const layout = new Layout(places);
  const found = [
    ...ollama(layout),
    ["lm_studio", layout.home(".lmstudio", "models")],
    // Before 2025.
    ["lm_studio", layout.home(".cache", "lm-studio", "models")],
    ["huggingface", hubCache(layout)],
    ["llama_cpp", layout.variable("LLAMA_CACHE") ?? layout.caches("llama.cpp")],
    ...jan(layout),
    ["gpt4all", layout.data("nomic.ai", "GPT4All")],
    ...drives(layout),
  ] as const;
  const roots = new Map<string, ImportRoot>();
  for (const [program, path] of found) {
    if (path !== null && !roots.has(path)) roots.set(path, { program, path });
  }
  return [...roots.values()];
}

/** What has a say in `importRoots`. */
const VARIABLES = [
  ...["XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "OLLAMA_MODELS"],
  ...["HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "LLAMA_CACHE"],
];

/** The folders that a user named by variables, as they are understood here. */
export function importVariables(places: ImportPlaces): Record<string, string> {
  const layout = new Layout(places);
  return Object.fromEntries(VARIABLES.flatMap((name) => {
    const path = layout.variable(name);
    return path === null ? [] : [[name, path]];
  }));
}

type Place = readonly [program: string, path: string | null];

/** What its own variable says, else the user's folder; and the one of its system service. */
function ollama(layout: Layout): Place[] {
  const own = layout.variable("OLLAMA_MODELS") ?? layout.home(".ollama", "models");
  const service = layout.os === "linux" ? "/usr/share/ollama/.ollama/models" : null;
  return [["ollama", own], ["ollama", service]];
}

function hubCache(layout: Layout): string | null {
  const home = layout.variable("HF_HOME");
  return layout.variable("HF_HUB_CACHE") ?? layout.variable("HUGGINGFACE_HUB_CACHE") ??
    (home === null ? null : layout.join(home, "hub")) ??
    layout.variable("XDG_CACHE_HOME", "huggingface", "hub") ??
    layout.home(".cache", "huggingface", "hub");
}

/** Below its data, the weights alone: the rest is what people wrote. */
function jan(layout: Layout): Place[] {
  const weights = ["Jan", "data", "llamacpp", "models"];
  if (layout.os !== "linux") return [["jan", layout.settings(...weights)]];
  return [["jan", layout.settings(...weights)], ["jan", layout.data(...weights)]];
}

/**
 * Where the system mounts what a user plugs in. On Windows nothing tells a stick from the disk with
 * everybody's files but a question to the system: there a folder is named with --models-dir.
 */
function drives(layout: Layout): Place[] {
  if (layout.os === "darwin") return [["drive", VOLUMES]];
  const user = layout.userName;
  if (layout.os !== "linux" || user === null) return [];
  return [["drive", `/media/${user}`], ["drive", `/run/media/${user}`]];
}

const VOLUMES = "/Volumes";

/** The usual places of one system. */
class Layout {
  readonly os: string;
  readonly #env: ImportPlaces["env"];
  readonly #homeDir: string | null;
  readonly #path: typeof posix;

  constructor({ env, homeDir, os }: ImportPlaces) {
    this.os = os;
    this.#env = env;
    this.#homeDir = homeDir;
    this.#path = os === "windows" ? win32 : posix;
  }

  get userName(): string | null {
    const home = this.#homeDir;
    const name = this.#env["USER"] || this.#env["LOGNAME"] ||
      (home === null ? "" : this.#path.basename(home));
    return /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.@-]{0,63}$/u.test(name) ? name : null;
  }

  join(...segments: string[]): string {
    return this.#path.join(...segments);
  }

  home(...segments: string[]): string | null {
    return this.#homeDir === null ? null : this.join(this.#homeDir, ...segments);
  }

  /** A folder below the one in a variable. What is relative is so to a folder that nobody knows. */
  variable(name: string, ...segments: string[]): string | null {
    const given = this.#env[name]?.trim() ?? "";
    const path = /^~(?=$|[\\/])/.test(given) ? this.home(given.slice(1)) : given;
    if (path === null || !this.#path.isAbsolute(path) || path.includes("\0")) return null;
    const joined = this.join(path, ...segments);
    const { root } = this.#path.parse(joined);
    return joined.length > root.length ? joined.replace(/[\\/]+$/, "") : joined;
  }

  caches(...segments: string[]): string | null {
    if (this.os === "windows") return this.variable("LOCALAPPDATA", ...segments);
    if (this.os === "darwin") return this.home("Library", "Caches", ...segments);
    return this.variable("XDG_CACHE_HOME", ...segments) ?? this.home(".cache", ...segments);
  }

  /** What a program keeps for itself. */
  data(...segments: string[]): string | null {
    if (this.os === "windows") return this.variable("LOCALAPPDATA", ...segments);
    if (this.os === "darwin") return this.home("Library", "Application Support", ...segments);
    return this.variable("XDG_DATA_HOME", ...segments) ?? this.home(".local", "share", ...segments);
  }

  /** What a user chose there. */
  settings(...segments: string[]): string | null {
    if (this.os === "windows") return this.variable("APPDATA", ...segments);
    if (this.os === "darwin") return this.home("Library", "Application Support", ...segments);
    return this.variable("XDG_CONFIG_HOME", ...segments) ?? this.home(".config", ...segments);
  }
}

export interface GrantableRoots {
  roots: ImportRoot[];
  /** Places that stay closed: all of them would be more than models. */
  refused: ImportRoot[];
}

export interface RootLimits {
  /** Folders of ours: none of them may lie in a root, and no root in one of them. */
  own: readonly string[];
  userHome: string | null;
  /** In it each folder is a root of its own; `/Volumes` where it is left out. */
  volumes?: string;
}

/**
 * The roots as they really lie now, since the scope's grants go by words and follow links. One that
 * is not there yet stays as it is: a drive may come later.
 */
export function grantableRoots(
  wanted: readonly ImportRoot[],
  { own, userHome, volumes = VOLUMES }: RootLimits,
): GrantableRoots {
  const ownPaths = own.map((path) => realPlace(path));
  const homePath = userHome === null ? null : realPlace(userHome);
  const roots = new Map<string, ImportRoot>();
  const refused: ImportRoot[] = [];
  for (const { program, path } of wanted.flatMap((root) => separate(root, volumes))) {
    const root = { program, path: realPlace(path) };
    const isTooMuch = dirname(root.path) === root.path ||
      (homePath !== null && holds(root.path, homePath)) ||
      ownPaths.some((each) => holds(root.path, each) || holds(each, root.path));
    if (isTooMuch) refused.push(root);
    else if (!roots.has(root.path)) roots.set(root.path, root);
  }
  return { roots: [...roots.values()], refused };
}

/**
 * Roots that are where they were at the start. One that has become a link since would lead the host
 * to files that nobody granted.
 */
export function standingRoots(roots: readonly ImportRoot[]): string[] {
  return roots.map(({ path }) => path).filter((path) => {
    try {
      return Deno.realPathSync(path) === path;
    } catch {
      return false;
    }
  });
}

/** One of the volumes is a link to the whole disk, and a grant would follow it: so each by itself. */
function separate(root: ImportRoot, volumes: string): ImportRoot[] {
  if (root.path !== volumes) return [root];
  try {
    return [...Deno.readDirSync(root.path)]
      .filter((entry) => entry.isDirectory)
      .map((entry) => ({ ...root, path: join(root.path, entry.name) }));
  } catch {
    return [];
  }
}

function holds(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

// The models that other programs keep on this computer: found, shown with what is known of them, and
// registered in place. What is registered is offered by library.ts; nothing is copied or written there.

import { dirname, isAbsolute, normalize, relative } from "node:path";

import type { AppErrorData } from "../errors.ts";
import type { ImportRoot } from "../host/messages.ts";
import type { Log } from "../log.ts";
import { within } from "../within.ts";
import { BoundedWalk } from "./bounded_walk.ts";
import type { FoundImport } from "./found_import.ts";
import type { GgufFacts } from "./gguf.ts";
import { HeaderReader } from "./header_reader.ts";
import { findModelsIn } from "./import_layouts.ts";
import { ollamaProblem } from "./import_ollama.ts";
import { brokenRefusal, notThereRefusal, outsideRefusal } from "./import_refusals.ts";
import { type SearchedPlace, type SearchLimits, searchPlace } from "./import_search.ts";
import { isOffered, type Library } from "./library.ts";
import type { Model } from "./model.ts";
import { freeId, type ModelFiles } from "./model_files.ts";
import type { Registry } from "./registry.ts";
import { isInside } from "./safe_join.ts";

/** A model of another program, with the name that it has or would have here. */
export interface ImportCandidate {
  found: FoundImport;
  id: string;
  imported: boolean;
  /** Null where the header is not read yet, or cannot be: `error` says why. */
  facts: GgufFacts | null;
  error: AppErrorData | null;
}

export interface ImportListing {
  candidates: ImportCandidate[];
  places: SearchedPlace[];
}

export interface ImportsOptions extends SearchLimits {
  roots: readonly ImportRoot[];
  library: Library;
  registry: Pick<Registry, "imports">;
  log: Log;
  /** For all headers of one listing together: what is not read by then is known the next time; 5,000. */
  headersMs?: number;
}

/** Looking where known models really lie must not wait for a drive that hangs. */
const KNOWN_PATHS_MS = 2_000;

export class Imports {
  readonly #options: ImportsOptions;
  readonly #reader: HeaderReader;
  #listing: Promise<ImportListing> | null = null;
  /** By path, as listed last. */
  #listed = new Map<string, FoundImport>();

  constructor(options: ImportsOptions) {
    this.#options = options;
    this.#reader = new HeaderReader({ settleMs: 0, log: options.log }, []);
  }

  /** Looks through all places again; who asks meanwhile gets the same answer. */
  list(): Promise<ImportListing> {
    this.#listing ??= this.#list().finally(() => this.#listing = null);
    return this.#listing;
  }

  /**
   * Takes the models at these paths over, in place: all of them or none. The library offers them when
   * it returns.
   *
   * @throws {AppError} `import_refused`.
   */
  async register(paths: readonly string[]): Promise<ImportCandidate[]> {
    if (paths.some((path) => !this.#listed.has(path))) await this.list();
    const found: FoundImport[] = [];
    for (const path of paths) {
      const one = this.#listed.get(path) ?? await this.#named(path);
      if (!found.some((other) => realPathOf(other) === realPathOf(one))) found.push(one);
    }
    const named = await this.#withIds(found);
    const candidates: ImportCandidate[] = [];
    for (const each of named) candidates.push(await this.#withHeader(each, Infinity));
    for (const { found, error } of candidates) {
      if (error !== null) throw brokenRefusal(found, error);
    }
    for (const { found, id, imported } of candidates) {
      if (imported) continue;
      const { program, name, repo, projector } = found;
      this.#options.registry.imports.put({
        ...{ modelId: id, program, name, repo },
        parts: found.parts.map((part) => part.path),
        mmprojPath: projector?.path ?? null,
      });
      this.#options.log.info("Model is imported in place", { model: id, program, name });
    }
    await this.#options.library.rescan();
    return candidates.map((candidate) => ({ ...candidate, imported: true }));
  }

  async #list(): Promise<ImportListing> {
    const { roots, library, entries, timeMs, headersMs = 5_000 } = this.#options;
    await library.upToDate();
    const limits = { ...(entries && { entries }), ...(timeMs && { timeMs }) };
    const places = await Promise.all(roots.map((root) => searchPlace(root, limits)));
    const found = distinct(places.flatMap((place) => place.found));
    this.#listed = new Map(found.map((each) => [each.parts[0]!.path, each]));
    this.#reader.retain(found.map(filesOf));
    const endMs = performance.now() + headersMs;
    const candidates: ImportCandidate[] = [];
    for (const each of await this.#withIds(found)) {
      const candidate = await this.#withHeader(each, endMs);
      if (candidate.facts === null || isOffered(candidate.facts)) candidates.push(candidate);
    }
    return { candidates, places };
  }

  /** What the library has already keeps its name, as does what was taken over from there before. */
  async #withIds(
    found: readonly FoundImport[],
  ): Promise<Omit<ImportCandidate, "facts" | "error">[]> {
    const { library, registry, roots } = this.#options;
    const known = await modelsByRealPath(library);
    const records = registry.imports.list();
    const taken = new Set(
      library.list().filter((model) => !model.builtin).map((model) => model.id.toLowerCase()),
    );
    return found.map((each) => {
      const model = known.get(realPathOf(each));
      if (model !== undefined) return { found: each, id: model.id, imported: true };
      // The program has a new file under that name: two places of one program are not meant.
      const { path } = each.parts[0]!;
      const root = roots.find((root) => isInside(root.path, path));
      const record = records.find(({ program, name, parts }) =>
        program === each.program && name === each.name && root !== undefined &&
        isInside(root.path, parts[0]!)
      );
      const id = record?.modelId ?? freeId(each.id, {
        owner: each.owner,
        isTaken: (other) => taken.has(other.toLowerCase()),
      });
      taken.add(id.toLowerCase());
      return { found: each, id, imported: false };
    });
  }

  async #withHeader(
    named: Omit<ImportCandidate, "facts" | "error">,
    endMs: number,
  ): Promise<ImportCandidate> {
    const { found } = named;
    const files = filesOf(found);
    const known = this.#reader.known(files) ??
      (performance.now() < endMs ? await this.#reader.read(files) : undefined);
    if (known === undefined) return { ...named, facts: null, error: found.problem };
    // Gone since it was found.
    if (known === null) {
      return { ...named, facts: null, error: notThereRefusal(found.parts[0]!.path).toData() };
    }
    const { facts, error } = known;
    // What came from the Hub is as it was there.
    const isOwn = found.program === "ollama" && found.repo === null;
    const problem = isOwn && facts !== null ? ollamaProblem(found.name, facts) : null;
    return { ...named, facts, error: found.problem ?? error ?? problem };
  }

  /** A file in one of the places that was not listed: there was too much, or it is not laid out so. */
  async #named(given: string): Promise<FoundImport> {
    const { roots, library } = this.#options;
    const path = normalize(given);
    const root = roots.find((each) => isInside(each.path, path));
    if (!isAbsolute(given) || root === undefined) {
      throw outsideRefusal(given, library.list().find((model) => model.parts.includes(path)));
    }
    const folder = dirname(path);
    const realFolder = await within(Deno.realPath(folder).catch(() => null), KNOWN_PATHS_MS);
    // A folder behind a link would be another one than that which was granted.
    if (realFolder !== folder) throw notThereRefusal(given);
    const models = await findModelsIn(new BoundedWalk({ root: root.path }), folder);
    const found = models.find(({ parts }) => parts.some((part) => part.path === path));
    if (found === undefined) throw notThereRefusal(given);
    return { ...found, program: root.program, name: relative(root.path, path) };
  }
}

function realPathOf({ parts }: FoundImport): string {
  return parts[0]!.realPath;
}

/** Files that two paths lead to are one model, named by the first: drives come last. */
function distinct(found: readonly FoundImport[]): FoundImport[] {
  const byPath = new Map<string, FoundImport>();
  for (const each of found) {
    if (!byPath.has(realPathOf(each))) byPath.set(realPathOf(each), each);
  }
  return [...byPath.values()];
}

async function modelsByRealPath(library: Library): Promise<Map<string, Model>> {
  const models = library.list().filter((model) => !model.isMissing);
  const paths = models.map(({ path }) => Deno.realPath(path).catch(() => path));
  const real = await within(Promise.all(paths), KNOWN_PATHS_MS);
  return new Map(models.map((model, index) => [real?.[index] ?? model.path, model]));
}

function filesOf({ id, parts, missing, projector, owner, repo }: FoundImport): ModelFiles {
  return {
    ...{ id, parts, missing, projector, repo },
    source: "import",
    isBeingWritten: false,
    hasTemporaryBeside: false,
    folderName: owner,
  };
}

// Several modules as one, so that the page is fewer and smaller answers: each in a function of its own,
// in the order in which they need each other. It reads what `deno fmt` writes, and throws at all else.

export interface PageModule {
  /** As the modules beside it name it: `/static/views/home.js`. */
  address: string;
  text: string;
}

export interface JoinOptions {
  /** Runs at the end, at the top, and may await there. */
  entry?: string;
  /** Where the modules are that are not among these: by their addresses. */
  elsewhere?: ReadonlyMap<string, string>;
}

/** Each module is exported as an object of its exports, under `nameOf()` its address. */
export function joinModules(modules: readonly PageModule[], options: JoinOptions = {}): string {
  const joiner = new Joiner(modules, options);
  for (const { address } of modules) if (address !== options.entry) joiner.add(address);
  if (options.entry !== undefined) joiner.add(options.entry);
  return joiner.text();
}

class Joiner {
  readonly #modules: ReadonlyMap<string, string>;
  readonly #options: JoinOptions;
  /** What is imported from other files, by its name here. */
  readonly #outside = new Map<string, string>();
  readonly #done: string[] = [];
  readonly #adding = new Set<string>();
  readonly #pieces: string[] = [];

  constructor(modules: readonly PageModule[], options: JoinOptions) {
    this.#modules = new Map(modules.map(({ address, text }) => [address, withoutComments(text)]));
    this.#options = options;
  }

  add(address: string): void {
    if (this.#done.includes(address)) return;
    if (this.#adding.has(address)) throw new Error(`${address} needs itself`);
    this.#adding.add(address);
    const exported: string[] = [];
    const head: string[] = [];
    const [imports] = /^(?:\s*import [^;"]+ from "[^"]+";)*/.exec(this.#modules.get(address)!)!;
    for (const [, what, from] of imports.matchAll(/import ([^;"]+?) from "([^"]+)";/g)) {
      head.push(`const ${patternOf(what!)} = ${this.#source(address, from!)};`);
    }
    const body = this.#modules.get(address)!.slice(imports.length)
      .replace(/^export \{([^}]*)\} from "([^"]+)";\n/gm, (_, names: string, from: string) => {
        head.push(`const {${names}} = ${this.#source(address, from)};`);
        exported.push(...names.split(",").map((each) => each.trim()).filter((each) => each !== ""));
        return "";
      })
      .replace(
        /^export ((?:async )?function\*?|class|const) (\w+)/gm,
        (_, kind: string, name: string) => {
          exported.push(name);
          return `${kind} ${name}`;
        },
      )
      .replace(/\bimport\("(\.[^"]+)"\)/g, (_, from: string) => this.#later(address, from));
    const left = /^(?:import|export) (?:[{*"]|default|let|var|\w+ from).*/m.exec(body);
    if (left !== null) throw new Error(`${address} cannot be joined: ${left[0]}`);
    const code = [...head, body].join("\n");
    this.#pieces.push(
      address === this.#options.entry
        ? `{\n${code}}`
        : `export const ${nameOf(address)} = (() => {\n${code}return { ${
          exported.join(", ")
        } };\n})();`,
    );
    this.#done.push(address);
    this.#adding.delete(address);
  }

  text(): string {
    const imports = [...this.#outside].map(([from, name]) => `import * as ${name} from "${from}";`);
    return [...imports, ...this.#pieces].join("\n") + "\n";
  }

  #source(address: string, from: string): string {
    if (!from.startsWith(".")) return this.#namespace(from);
    const target = new URL(from, `http://page${address}`).pathname;
    if (this.#modules.has(target)) {
      this.add(target);
      return nameOf(target);
    }
    return `${this.#namespace(this.#fileOf(target, address))}.${nameOf(target)}`;
  }

  /** What is imported when it is needed: here already, or in another file. */
  #later(address: string, from: string): string {
    const target = new URL(from, `http://page${address}`).pathname;
    const name = nameOf(target);
    if (this.#modules.has(target)) return `Promise.resolve().then(() => ${name})`;
    return `import("${this.#fileOf(target, address)}").then((all) => all.${name})`;
  }

  #fileOf(target: string, address: string): string {
    const file = this.#options.elsewhere?.get(target);
    if (file === undefined) throw new Error(`${address} imports ${target}, which is not there`);
    return file;
  }

  #namespace(from: string): string {
    let name = this.#outside.get(from);
    if (name === undefined) this.#outside.set(from, name = `$${this.#outside.size}`);
    return name;
  }
}

function nameOf(address: string): string {
  return address.replace(/^\/static\//, "$").replace(/\.js$/, "").replace(
    /\W/g,
    (sign) => sign === "$" ? sign : "_",
  );
}

/** `{ a as b }`, `* as all` or `one`, as what stands on the left of a `const`. */
function patternOf(what: string): string {
  if (what.startsWith("* as ")) return what.slice(5);
  if (what.startsWith("{")) return what.replace(/\bas\b/g, ":").replace(/ : /g, ": ");
  return `{ default: ${what} }`;
}

/**
 * Without comments that fill their lines, types and indents: a third of it all. htm does not see
 * indents; a text of several lines is written as joined ones.
 */
function withoutComments(text: string): string {
  return text.replace(/^[ \t]*\/\*\*(?:(?!\*\/)[^])*\*\/[ \t]*\n/gm, "")
    .replace(/^[ \t]*\/\/.*\n/gm, "")
    .replace(/\/\*\* @(?:(?!\*\/)[^])*\*\/\s?/g, "").replace(/\n\s*\n/g, "\n")
    .replace(/^[ \t]+/gm, "");
}

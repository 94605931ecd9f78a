// The route that a request is counted under: one of few names, whatever its path.

/** The path is no route's. */
export const NO_ROUTE = "none";

export class RouteLabels {
  readonly #labels = new Set<string>();

  /** From the app's own routes: a parameter and what follows it is one with what stands before. */
  constructor(paths: readonly string[]) {
    for (const path of paths) {
      const fixed = path.split(/\/[:*]/, 1)[0]!;
      this.#labels.add(fixed === "" ? "/" : fixed);
    }
    // Of middleware, which answers nothing by itself.
    if (!paths.includes("/")) this.#labels.delete("/");
  }

  of(path: string): string {
    if (path === "/") return this.#labels.has(path) ? path : NO_ROUTE;
    for (let part = path; part.length > 1; part = part.slice(0, part.lastIndexOf("/"))) {
      if (this.#labels.has(part)) return part;
    }
    return NO_ROUTE;
  }
}

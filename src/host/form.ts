// Checks of a value's form, made of small ones: what crosses from the server is believed only after them.
// Nothing is converted: a value is of the form, or it is not.

/** Checks whether a value is a `T`: null where it is, else what is wrong, in a few words. */
export interface Form<T> {
  problem(value: unknown): string | null;
  /** True for a field that may be left out. */
  readonly isOptional?: boolean;
  /** For the compiler alone: keeps a check of one type from standing for another. */
  readonly of?: T;
}

/** One check for each field; a field that is added without one does not compile. */
export type Fields<T> = { readonly [K in keyof T]-?: Form<Exclude<T[K], undefined>> };

export function flag(): Form<boolean> {
  return { problem: (value) => typeof value === "boolean" ? null : "not true or false" };
}

export function whole(least: number, most: number): Form<number> {
  return {
    problem: (value) =>
      typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most
        ? null
        : `no whole number from ${least} to ${most}`,
  };
}

/** Any number that is one: its range is for those who act on it. */
export function finite(): Form<number> {
  return { problem: (value) => Number.isFinite(value) ? null : "not a number" };
}

export function text(mostLength: number): Form<string> {
  return {
    problem(value) {
      if (typeof value !== "string") return "not a text";
      return value.length <= mostLength ? null : `longer than ${mostLength}`;
    },
  };
}

export function oneOf<const T extends string | number>(words: readonly T[]): Form<T> {
  return {
    problem: (value) => (words as readonly unknown[]).includes(value) ? null : "not a known word",
  };
}

export function orNull<T>(form: Form<T>): Form<T | null> {
  return { problem: (value) => value === null ? null : form.problem(value) };
}

export function either<A, B>(first: Form<A>, second: Form<B>): Form<A | B> {
  return {
    problem: (value) => first.problem(value) === null ? null : second.problem(value),
  };
}

/** A field that may be left out, or be there without a value. */
export function optional<T>(form: Form<T>): Form<T> {
  return {
    isOptional: true,
    problem: (value) => value === undefined ? null : form.problem(value),
  };
}

export function listOf<T>(form: Form<T>, most: number): Form<T[]> {
  return {
    problem(value) {
      if (!Array.isArray(value)) return "not a list";
      if (value.length > most) return `a list of more than ${most}`;
      // By number: a list with a hole in it has no value there.
      for (let index = 0; index < value.length; index++) {
        const problem = form.problem(value[index]);
        if (problem !== null) return `[${index}] is ${problem}`;
      }
      return Object.keys(value).length === value.length ? null : "a list with more than its values";
    },
  };
}

/** An object of exactly these fields, and of no class. */
export function object<T extends object>(fields: Fields<T>): Form<T> {
  const forms = new Map<string, Form<unknown>>(Object.entries(fields));
  return {
    problem(value) {
      if (!isPlain(value)) return "not an object";
      const names = Object.keys(value);
      for (const name of names) {
        const form = forms.get(name);
        if (form === undefined) return "an object with an unknown field";
        const problem = form.problem(value[name]);
        if (problem !== null) return `"${name}" is ${problem}`;
      }
      for (const [name, { isOptional }] of forms) {
        if (isOptional !== true && !Object.hasOwn(value, name)) return `"${name}" is missing`;
      }
      return null;
    },
  };
}

export interface PlainLimits {
  /** Values in all, at every depth. */
  most: number;
  /** Characters of all names and texts together. */
  mostLength: number;
  depth: number;
}

/** An object of any fields whose values JSON could hold: what a log line may carry. */
export function plainObject(limits: PlainLimits): Form<Readonly<Record<string, unknown>>> {
  return {
    problem(value) {
      if (!isPlain(value)) return "not an object";
      const left = { ...limits };
      return isJson(value, left, limits.depth) ? null : "more than a log line may carry";
    },
  };
}

function isJson(value: unknown, left: PlainLimits, depth: number): boolean {
  if (--left.most < 0 || depth < 0) return false;
  if (typeof value === "string") return (left.mostLength -= value.length) >= 0;
  // `undefined` is left out of JSON, a number that is none becomes null.
  if (value === null || ["boolean", "number", "undefined"].includes(typeof value)) return true;
  if (Array.isArray(value)) {
    if (value.length > left.most) return false;
    return value.every((each) => isJson(each, left, depth - 1));
  }
  return isPlain(value) && Object.entries(value).every(([name, each]) => {
    left.mostLength -= name.length;
    return left.mostLength >= 0 && isJson(each, left, depth - 1);
  });
}

/** Neither a list nor of a class; `__proto__` as a field of its own is a field like any other. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

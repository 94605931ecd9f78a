// One value of a JSON text that somebody else wrote, together with its place in it, so that what is
// wrong can be said by place and reason. What the values mean is the callers'.

/** What is wrong and where; caught by whoever reads the whole. */
export class Misfit extends Error {
  override readonly name = "Misfit";
  /** `models[3].files[0].size_bytes` */
  readonly path: string;

  constructor(path: string, reason: string) {
    super(reason);
    this.path = path;
  }
}

export interface TextLimits {
  longest: number;
  pattern?: RegExp;
  /** What it should be, for the message: `a language code such as "bn"`. */
  kind?: string;
}

export class JsonField {
  readonly value: unknown;
  readonly path: string;

  constructor(value: unknown, path: string) {
    this.value = value;
    this.path = path;
  }

  /** Not there, or null. */
  get isMissing(): boolean {
    return this.value === undefined || this.value === null;
  }

  misfit(reason: string): Misfit {
    return new Misfit(this.path, reason);
  }

  /** A field of an object, there or not. */
  get(name: string): JsonField {
    const { value } = this;
    if (!isObject(value)) throw this.misfit("must be an object");
    const path = this.path === "" ? name : `${this.path}.${name}`;
    return new JsonField(Object.hasOwn(value, name) ? value[name] : undefined, path);
  }

  list({ most, least = 0 }: { most: number; least?: number }): JsonField[] {
    const { value } = this;
    if (!Array.isArray(value)) throw this.misfit("must be a list");
    if (value.length < least || value.length > most) {
      throw this.misfit(`must be a list of ${least} to ${most}, not of ${value.length}`);
    }
    return value.map((each, index) => new JsonField(each, `${this.path}[${index}]`));
  }

  text({ longest, pattern, kind = "a text" }: TextLimits): string {
    const { value } = this;
    if (typeof value !== "string") throw this.misfit(`must be ${kind}`);
    if (value === "" || value.length > longest) {
      throw this.misfit(`must be ${kind} of 1 to ${longest} characters`);
    }
    if (!value.isWellFormed() || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(value)) {
      throw this.misfit("must not hold control characters");
    }
    if (pattern !== undefined && !pattern.test(value)) throw this.misfit(`must be ${kind}`);
    return value;
  }

  count({ least = 0, most }: { least?: number; most: number }): number {
    const { value } = this;
    if (!Number.isSafeInteger(value) || value as number < least || value as number > most) {
      throw this.misfit(`must be a whole number from ${least} to ${most}`);
    }
    return value as number;
  }

  flag(): boolean {
    if (typeof this.value !== "boolean") throw this.misfit("must be true or false");
    return this.value;
  }

  oneOf<T extends string>(choices: readonly T[]): T {
    const found = choices.find((choice) => choice === this.value);
    if (found === undefined) throw this.misfit(`must be one of ${choices.join(", ")}`);
    return found;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Whether nothing lies deeper than `deepest` lists and objects, so that it can be walked. Without
 * recursion itself.
 */
export function isShallow(value: unknown, deepest: number): boolean {
  return every(value, (_, depth) => depth <= deepest);
}

/** Whether it can be written again as it was: a number of JSON may be larger than ours can be. */
export function isExact(value: unknown): boolean {
  return every(
    value,
    (each) => typeof each !== "number" || Math.abs(each) <= Number.MAX_SAFE_INTEGER,
  );
}

function every(value: unknown, holds: (value: unknown, depth: number) => boolean): boolean {
  const left: { value: unknown; depth: number }[] = [{ value, depth: 0 }];
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    if (!holds(at.value, at.depth)) return false;
    if (typeof at.value !== "object" || at.value === null) continue;
    for (const each of Object.values(at.value)) left.push({ value: each, depth: at.depth + 1 });
  }
  return true;
}

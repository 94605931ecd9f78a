// The one place that asks for a key: whatever the route, the port and the header that it comes in.

import { AppError } from "../errors.ts";
import type { Access } from "./access.ts";
import type { ApiKeys, HeldKey } from "./api_keys.ts";
import { KeyFailures } from "./key_failures.ts";

export interface KeyCheckOptions {
  keys: Pick<ApiKeys, "required" | "find">;
  failures?: KeyFailures;
}

export interface Asked {
  access: Access;
  /** Of the other end of the connection; what a header says of it is anybody's word. */
  address: string;
}

export class KeyCheck {
  readonly #keys: KeyCheckOptions["keys"];
  readonly #failures: KeyFailures;
  /** What is being looked at, by address and secrets. */
  readonly #looking = new Set<string>();

  constructor({ keys, failures = new KeyFailures() }: KeyCheckOptions) {
    this.#keys = keys;
    this.#failures = failures;
  }

  /**
   * Returns where the request may go on; a promise where its key has to be hashed first.
   *
   * Errors, thrown or by the promise: `invalid_api_key`, `key_scope_too_small`, `too_many_wrong_keys`.
   */
  check(headers: Headers, asked: Asked): void | Promise<void> {
    if (asked.access === "public" || !this.#keys.required) return;
    const secrets = presentedSecrets(headers);
    if (secrets.length === 0) throw keyMissing();
    const waitMs = this.#failures.waitMs(asked.address);
    // Nothing is looked at, so that waiting costs a guesser every guess.
    if (waitMs > 0 && !this.#failures.hasHadAny(asked.address)) throw tooManyWrong(waitMs);
    const looks: Promise<HeldKey | null>[] = [];
    let best: HeldKey | null = null;
    for (const secret of secrets) {
      const found = this.#keys.find(secret);
      if (found instanceof Promise) looks.push(found);
      else best = wider(best, found);
    }
    if (best !== null || looks.length === 0) return this.#decide(best, asked);
    return this.#decideLater(looks, { asked, name: [asked.address, ...secrets].join("\n") });
  }

  // Counted as wrong before it is known, or many guesses at once would count as none. A key that
  // comes in many requests at once counts once.
  async #decideLater(
    looks: Promise<HeldKey | null>[],
    { asked, name }: { asked: Asked; name: string },
  ): Promise<void> {
    const isCounted = this.#failures.waitMs(asked.address) === 0 && !this.#looking.has(name);
    if (!isCounted) return this.#decide((await Promise.all(looks)).reduce(wider, null), asked);
    this.#looking.add(name);
    const takeBack = this.#failures.failed(asked.address);
    const found = (await Promise.all(looks)).reduce(wider, null);
    this.#looking.delete(name);
    if (found === null) throw keyWrong();
    takeBack();
    this.#decide(found, asked);
  }

  #decide(key: HeldKey | null, { access, address }: Asked): void {
    const waitMs = this.#failures.waitMs(address);
    if (waitMs > 0 && (key === null || !this.#failures.hasHad(address, key.id))) {
      throw tooManyWrong(waitMs);
    }
    if (key === null) {
      this.#failures.failed(address);
      throw keyWrong();
    }
    this.#failures.succeeded(address, key.id);
    if (access === "admin" && key.scope !== "admin") throw scopeTooSmall(key);
  }
}

/**
 * What a request sends as its key: clients of OpenAI and Ollama as a bearer, Anthropic's as `x-api-key`,
 * llama-swap's users and Prometheus also as the password of a basic login.
 */
export function presentedSecrets(headers: Headers): string[] {
  const secrets: string[] = [];
  const authorization = headers.get("authorization");
  if (authorization !== null) {
    const secret = secretOf(authorization);
    if (secret !== null) secrets.push(secret);
  }
  const own = headers.get("x-api-key");
  if (own !== null) secrets.push(own);
  return secrets;
}

function secretOf(authorization: string): string | null {
  if (/^bearer /i.test(authorization)) return authorization.slice("bearer ".length).trim();
  if (!/^basic /i.test(authorization)) return null;
  try {
    const login = atob(authorization.slice("basic ".length).trim());
    const colon = login.indexOf(":");
    return colon < 0 ? null : login.slice(colon + 1);
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

function wider(a: HeldKey | null, b: HeldKey | null): HeldKey | null {
  return a === null || b?.scope === "admin" ? b ?? a : a;
}

function keyMissing(): AppError {
  return new AppError(
    "invalid_api_key",
    'Cannot answer without an API key. Send it as "Authorization: Bearer KEY" or "x-api-key: KEY"',
  );
}

function keyWrong(): AppError {
  return new AppError(
    "invalid_api_key",
    "Cannot answer: the API key is not a right one. Use the one in the file of --api-key-file, or one that POST /admin/keys made",
  );
}

function scopeTooSmall({ name, scope }: HeldKey): AppError {
  return new AppError(
    "key_scope_too_small",
    `Cannot use this route with the key ${
      JSON.stringify(name)
    }: it is for answers of models (scope "${scope}"). Send a key with the scope "admin"`,
    { values: { key: name, scope } },
  );
}

function tooManyWrong(waitMs: number): AppError {
  const seconds = Math.ceil(waitMs / 1_000);
  return new AppError(
    "too_many_wrong_keys",
    `Cannot look at this API key: too many wrong ones came from this address. Try again in ${seconds} s`,
    { retryAfterSeconds: seconds, values: { seconds } },
  );
}

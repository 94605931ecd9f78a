// The keys of this server: the one that it was started with, and those in the registry. Which of them
// a secret is, and making and revoking them; who is asked for one is key_check.ts's.

import type { KeyRow, KeyScope, NewKeyRow } from "../api_types.ts";
import { AppError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { RegistryKeys } from "../models/registry_keys.ts";
import { randomHex } from "../random_hex.ts";

/** A key that was found right. */
export interface HeldKey {
  readonly id: string;
  readonly name: string;
  readonly scope: KeyScope;
}

export interface ApiKeysOptions {
  registry: Pick<RegistryKeys, "list" | "add" | "used" | "remove">;
  log: Log;
  /** Of --api-key-file or ZOMBIE_API_KEY; null = none. It is an administrator's. */
  startKey: string | null;
  startKeyName?: string;
}

interface StoredKey extends HeldKey {
  readonly hash: Uint8Array;
  readonly createdAt: string;
  lastUsedAt: string | null;
  /** Its own bytes once it was used: the next use needs no hash. */
  secret: Uint8Array | null;
  /** `Date.now()` of the last use that is written. */
  writtenMs: number;
}

export const START_KEY_ID = "start";
const PREFIX = "zc_";
const SECRET_BYTES = 32;
const MOST_KEYS = 256;
const USE_WRITTEN_EVERY_MS = 60_000;

export class ApiKeys implements Disposable {
  readonly #options: ApiKeysOptions;
  readonly #startKey: (HeldKey & { secret: Uint8Array }) | null;
  #stored: StoredKey[];
  /** Secrets that are being hashed: eight requests with one new key are one look. */
  readonly #looks = new Map<string, Promise<HeldKey | null>>();
  readonly #used = new Set<StoredKey>();
  #usedTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(options: ApiKeysOptions) {
    this.#options = options;
    const { startKey, startKeyName = "--api-key-file" } = options;
    this.#startKey = startKey === null ? null : {
      id: START_KEY_ID,
      name: startKeyName,
      scope: "admin",
      secret: new TextEncoder().encode(startKey),
    };
    this.#stored = options.registry.list().map(({ hash, ...record }) => ({
      ...record,
      hash: bytesOfHex(hash),
      secret: null,
      writtenMs: 0,
    }));
  }

  /** False while there is no key at all: then whoever reaches this server may do everything. */
  get required(): boolean {
    return this.#startKey !== null || this.#stored.length > 0;
  }

  /**
   * Which key this is; null = none. A promise where it has to be hashed first, and a null is certain
   * only then.
   */
  find(secret: string): HeldKey | null | Promise<HeldKey | null> {
    const bytes = new TextEncoder().encode(secret);
    if (this.#startKey !== null && isSame(bytes, this.#startKey.secret)) return this.#startKey;
    for (const key of this.#stored) {
      if (key.secret === null || !isSame(bytes, key.secret)) continue;
      this.#noteUse(key);
      return key;
    }
    if (this.#stored.length === 0) return null;
    return this.#look(secret, bytes);
  }

  list(): KeyRow[] {
    const rows = this.#stored.map(rowOf);
    if (this.#startKey === null) return rows;
    const { id, name, scope } = this.#startKey;
    const start = { id, name, scope, source: "start" as const };
    return [{ ...start, created_at: null, last_used_at: null }, ...rows];
  }

  /** A new key; its secret is in this answer and nowhere else. Errors: `key_refused`. */
  async make({ name, scope }: { name: string; scope: KeyScope }): Promise<NewKeyRow> {
    const random = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
    const secret = PREFIX + random.toBase64({ alphabet: "base64url", omitPadding: true });
    const hash = await hashOf(new TextEncoder().encode(secret));
    this.#checkNew({ name, scope });
    const key: StoredKey = {
      id: randomHex(4),
      name,
      scope,
      hash,
      createdAt: new Date().toISOString(),
      lastUsedAt: null,
      secret: null,
      writtenMs: 0,
    };
    this.#options.registry.add({ ...key, hash: hash.toHex() });
    this.#stored.push(key);
    this.#options.log.info("API key was made", { key: key.id, name, scope });
    return { ...rowOf(key), key: secret };
  }

  /** It opens nothing from now on. Errors: `key_not_found`, `key_refused`. */
  revoke(id: string): void {
    if (id === this.#startKey?.id) {
      throw refusal(
        `Cannot revoke the key of ${this.#startKey.name}: it came with the start. Start the server without it`,
      );
    }
    const key = this.#stored.find((each) => each.id === id);
    if (key === undefined) {
      const shown = id.slice(0, 100);
      throw new AppError("key_not_found", `Cannot find the key ${JSON.stringify(shown)}`, {
        values: { key: shown },
      });
    }
    const left = this.#stored.filter((each) => each !== key);
    if (left.length > 0 && !this.#hasAdmin(left)) {
      throw refusal(
        `Cannot revoke "${key.name}": it is the last key with the scope "admin". Make another one first, or revoke the others`,
      );
    }
    this.#options.registry.remove(id);
    this.#stored = left;
    this.#used.delete(key);
    this.#options.log.info("API key was revoked", { key: id, name: key.name });
    if (!this.required) {
      this.#options.log.warn("No API key is left: every program on this machine may ask");
    }
  }

  [Symbol.dispose](): void {
    if (this.#usedTimer !== null) clearTimeout(this.#usedTimer);
    this.#writeUses();
  }

  // Nobody may lock everybody out of /admin, themselves included.
  #checkNew({ name, scope }: { name: string; scope: KeyScope }): void {
    if (this.#stored.length >= MOST_KEYS) {
      throw refusal(`Cannot keep more than ${MOST_KEYS} keys. Revoke some first`);
    }
    if (this.#stored.some((key) => key.name.toLowerCase() === name.toLowerCase())) {
      throw refusal(`Cannot make the key ${JSON.stringify(name)}: another one has this name`);
    }
    if (scope !== "admin" && !this.#hasAdmin(this.#stored)) {
      throw refusal(
        'Cannot make a key with the scope "use" first: from then on nobody could reach /admin. Make one with the scope "admin" first',
      );
    }
  }

  #hasAdmin(stored: readonly StoredKey[]): boolean {
    return this.#startKey !== null || stored.some((key) => key.scope === "admin");
  }

  #look(secret: string, bytes: Uint8Array<ArrayBuffer>): Promise<HeldKey | null> {
    const known = this.#looks.get(secret);
    if (known !== undefined) return known;
    const look = this.#findByHash(bytes).finally(() => this.#looks.delete(secret));
    this.#looks.set(secret, look);
    return look;
  }

  async #findByHash(bytes: Uint8Array<ArrayBuffer>): Promise<HeldKey | null> {
    const hash = await hashOf(bytes);
    let found: StoredKey | null = null;
    for (const key of this.#stored) if (isSame(hash, key.hash)) found = key;
    if (found === null) return null;
    found.secret = bytes;
    this.#noteUse(found);
    return found;
  }

  #noteUse(key: StoredKey): void {
    const now = Date.now();
    if (now - key.writtenMs < USE_WRITTEN_EVERY_MS) return;
    key.writtenMs = now;
    key.lastUsedAt = new Date(now).toISOString();
    this.#used.add(key);
    // Not inside a request: it would wait for the disk.
    this.#usedTimer ??= setTimeout(() => this.#writeUses(), 0);
  }

  #writeUses(): void {
    this.#usedTimer = null;
    for (const { id, lastUsedAt } of this.#used) {
      try {
        this.#options.registry.used(id, lastUsedAt!);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        this.#options.log.debug("Cannot note the use of a key", { reason: messageOf(error) });
      }
    }
    this.#used.clear();
  }
}

function rowOf({ id, name, scope, createdAt, lastUsedAt }: StoredKey): KeyRow {
  return { id, name, scope, source: "made", created_at: createdAt, last_used_at: lastUsedAt };
}

// Made to be slow, a hash would cost every request and gain nothing: there are no words to try, as
// with passwords, but 2^256 keys that are equally likely.
async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

// The time depends on the length of what was sent alone: it tells nothing of the key.
function isSame(presented: Uint8Array, secret: Uint8Array): boolean {
  let difference = presented.length ^ secret.length;
  for (let index = 0; index < presented.length; index++) {
    difference |= presented[index]! ^ secret[index % secret.length]!;
  }
  return difference === 0;
}

function bytesOfHex(hex: string): Uint8Array {
  // A row that cannot be read is a key that no secret is.
  return /^[0-9a-f]{64}$/i.test(hex) ? Uint8Array.fromHex(hex) : new Uint8Array();
}

function refusal(message: string): AppError {
  return new AppError("key_refused", message);
}

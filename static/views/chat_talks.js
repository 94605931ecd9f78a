// The talks that this browser keeps, in its own database: bounded, oldest out first. In a browser that
// keeps nothing they hold until the page is closed.

/** @import { ErrorBody, Sampling } from "../../src/api_types.ts" */
/**
 * @typedef {object} Message
 * @property {string} id
 * @property {"user" | "assistant"} role
 * @property {string} text
 * @property {string} reasoning
 * @property {string[]} images As data: URLs.
 * @property {string} model Who answered; empty for a user's.
 * @property {number} atMs
 * @property {"done" | "length" | "stopped" | "failed" | null} end Null while it is being written.
 * @property {ErrorBody | null} error
 * @property {number | null} promptTokens
 * @property {number | null} tokens
 * @property {number | null} tokensPerSecond
 * @property {number | null} context Tokens that one talk with this model can hold.
 */
/**
 * @typedef {object} Wishes What the user set for one talk; what is left out is as the model has it.
 * @property {string} system
 * @property {Sampling} sampling
 * @property {boolean | null} thinking
 */
/** @typedef {{ id: string, title: string, model: string, changedMs: number, size: number }} TalkHead */
/** @typedef {TalkHead & { wishes: Wishes, messages: Message[] }} Talk */

const MOST_TALKS = 100;
/** Characters of all talks together, images as they are written. */
const MOST_SIZE = 40_000_000;
const DATABASE = "zombie.talks";
const HEADS = "heads";
const TALKS = "talks";

/** @returns {string} Random, also where a browser has no `crypto.randomUUID` (HTTP in a network). */
export function newId() {
  return [...crypto.getRandomValues(new Uint32Array(3))].map((n) => n.toString(36)).join("");
}

export class Talks {
  /** @type {Promise<IDBDatabase | null> | null} */
  #opening = null;
  /** Where there is no database. @type {Map<string, Talk>} */
  #unkept = new Map();

  /** Opened when it is first asked for. */
  get #database() {
    return this.#opening ??= openDatabase();
  }

  /** @returns {Promise<TalkHead[]>} Newest first. */
  async heads() {
    const database = await this.#database;
    /** @type {TalkHead[]} */
    const heads = database === null
      ? [...this.#unkept.values()].map(headOf)
      : await done(database.transaction(HEADS).objectStore(HEADS).getAll());
    return heads.sort((a, b) => b.changedMs - a.changedMs);
  }

  /**
   * @param {string} id
   * @returns {Promise<Talk | null>}
   */
  async read(id) {
    const database = await this.#database;
    if (database === null) return this.#unkept.get(id) ?? null;
    return await done(database.transaction(TALKS).objectStore(TALKS).get(id)) ?? null;
  }

  /**
   * Keeps it, and lets the oldest go where it gets too much.
   *
   * @param {Talk} talk
   */
  async keep(talk) {
    talk.size = JSON.stringify(talk.messages).length;
    const database = await this.#database;
    if (database === null) return void this.#unkept.set(talk.id, talk);
    const writing = database.transaction([HEADS, TALKS], "readwrite");
    writing.objectStore(TALKS).put(structuredClone(talk));
    writing.objectStore(HEADS).put(headOf(talk));
    await finished(writing);
    let size = 0;
    const heads = await this.heads();
    for (const [at, head] of heads.entries()) {
      size += head.size;
      if (head.id !== talk.id && (at >= MOST_TALKS || size > MOST_SIZE)) await this.remove(head.id);
    }
  }

  /** @param {string} id */
  async remove(id) {
    const database = await this.#database;
    if (database === null) return void this.#unkept.delete(id);
    const writing = database.transaction([HEADS, TALKS], "readwrite");
    writing.objectStore(TALKS).delete(id);
    writing.objectStore(HEADS).delete(id);
    await finished(writing);
  }
}

/**
 * @param {Talk} talk
 * @returns {TalkHead}
 */
function headOf({ id, title, model, changedMs, size }) {
  return { id, title, model, changedMs, size };
}

/** @returns {Promise<IDBDatabase | null>} */
function openDatabase() {
  return new Promise((resolve) => {
    try {
      const opening = indexedDB.open(DATABASE, 1);
      opening.onupgradeneeded = () => {
        opening.result.createObjectStore(TALKS, { keyPath: "id" });
        opening.result.createObjectStore(HEADS, { keyPath: "id" });
      };
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => resolve(null);
    } catch {
      // Private windows of some browsers have none.
      resolve(null);
    }
  });
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * @param {IDBTransaction} transaction
 * @returns {Promise<void>}
 */
function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}

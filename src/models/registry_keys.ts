// API keys by their hashes. A key itself is never written: what it opens is the gateway's.

import type { KeyScope } from "../api_types.ts";
import type { RegistryTable, Statement } from "./registry_file.ts";
import { type Row, textOf } from "./registry_rows.ts";

export interface KeyRecord {
  id: string;
  name: string;
  scope: KeyScope;
  /** SHA-256 of the key, in hex. */
  hash: string;
  /** ISO 8601. */
  createdAt: string;
  lastUsedAt: string | null;
}

export class RegistryKeys {
  readonly #table: RegistryTable;
  readonly #list: Statement;
  readonly #add: Statement;
  readonly #used: Statement;
  readonly #remove: Statement;

  constructor(table: RegistryTable) {
    this.#table = table;
    this.#list = table.prepare("SELECT * FROM keys ORDER BY created_at, id");
    this.#add = table.prepare(
      "INSERT INTO keys (id, name, scope, hash, created_at) VALUES (?, ?, ?, ?, ?)",
    );
    this.#used = table.prepare("UPDATE keys SET last_used_at = ? WHERE id = ?");
    this.#remove = table.prepare("DELETE FROM keys WHERE id = ?");
  }

  list(): KeyRecord[] {
    return this.#list.all().map(recordFrom);
  }

  /** On the disk when it returns: nobody can show the key again. */
  add({ id, name, scope, hash, createdAt }: KeyRecord): void {
    this.#table.writeDurably(() => this.#add.run(id, name, scope, hash, createdAt));
  }

  /** For people only. */
  used(id: string, isoTime: string): void {
    this.#table.write(() => this.#used.run(isoTime, id));
  }

  /** On the disk when it returns: a revoked key must not come back with a power cut. */
  remove(id: string): void {
    this.#table.writeDurably(() => this.#remove.run(id));
  }
}

function recordFrom(row: Row): KeyRecord {
  return {
    id: String(row["id"]),
    name: String(row["name"]),
    // Whatever is not the wider one.
    scope: row["scope"] === "admin" ? "admin" : "use",
    hash: String(row["hash"]),
    createdAt: String(row["created_at"]),
    lastUsedAt: textOf(row["last_used_at"]),
  };
}

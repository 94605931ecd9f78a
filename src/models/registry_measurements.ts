// What was measured on this machine, by name, as JSON. What the figures mean is their readers'.

import type { RegistryTable, Statement } from "./registry_file.ts";
import { jsonOf } from "./registry_rows.ts";

export class RegistryMeasurements {
  readonly #table: RegistryTable;
  readonly #get: Statement;
  readonly #set: Statement;

  constructor(table: RegistryTable) {
    this.#table = table;
    this.#get = table.prepare("SELECT value FROM measurements WHERE name = ?");
    this.#set = table.prepare(`
      INSERT INTO measurements (name, value, measured_at) VALUES (?, ?, ?)
      ON CONFLICT (name) DO UPDATE SET value = excluded.value,
        measured_at = excluded.measured_at`);
  }

  /** Null where it was never measured, or where the row cannot be read. */
  get(name: string): unknown {
    return jsonOf(this.#get.get(name)?.["value"]);
  }

  /** Throws `folder_unusable` for a full or locked disk; it can be measured again. */
  set(name: string, value: unknown): void {
    const json = JSON.stringify(value);
    this.#table.write(() => this.#set.run(name, json, new Date().toISOString()));
  }
}

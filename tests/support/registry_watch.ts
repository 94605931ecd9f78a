// What another program sees of the instances in registry.db, and every change of a row, in order.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export interface SeenInstance {
  model_id: string;
  status: string;
  door: number | null;
  pid: number | null;
  last_activity: string | null;
}

export interface RegistryWatch extends Disposable {
  /** All rows as they are now. */
  read(): SeenInstance[];
  /** The rows that one model had since `watchRegistry()`, oldest first. */
  seen(model: string): SeenInstance[];
}

const COLUMNS = "model_id, status, door, pid, last_activity";
const NEW_COLUMNS = COLUMNS.replaceAll(/\w+/g, (column) => `new.${column}`);

/**
 * Keeps the changes by triggers of its own: who reads again and again misses what is there for some
 * milliseconds only, on a busy computer a whole load.
 */
export function watchRegistry(home: string): RegistryWatch {
  const database = new DatabaseSync(join(home, "registry.db"), { timeout: 5_000 });
  // All at once, and not waiting for the disk: the server waits 100 ms for somebody else's lock.
  database.exec(`
    PRAGMA synchronous = OFF;
    BEGIN IMMEDIATE;
    CREATE TABLE seen (${COLUMNS});
    CREATE TRIGGER seen_insert AFTER INSERT ON instances
      BEGIN INSERT INTO seen VALUES (${NEW_COLUMNS}); END;
    CREATE TRIGGER seen_update AFTER UPDATE ON instances
      BEGIN INSERT INTO seen VALUES (${NEW_COLUMNS}); END;
    INSERT INTO seen SELECT ${COLUMNS} FROM instances;
    COMMIT;
  `);
  const now = database.prepare(`SELECT ${COLUMNS} FROM instances ORDER BY model_id`);
  const since = database.prepare(`SELECT * FROM seen WHERE model_id = ? ORDER BY rowid`);
  return {
    read: () => now.all() as unknown as SeenInstance[],
    seen: (model) => since.all(model) as unknown as SeenInstance[],
    [Symbol.dispose]: () => database.close(),
  };
}

// The models of other programs that a user took over in place. Whether their files are still there is
// the library's.

import type { RegistryTable, Statement } from "./registry_file.ts";
import { jsonOf, type Row, textOf } from "./registry_rows.ts";

export interface ImportRecord {
  modelId: string;
  /** As in `ImportRow`. */
  program: string;
  /** As that program calls it. */
  name: string;
  /** Absolute paths, the first part first. */
  parts: readonly string[];
  mmprojPath: string | null;
  /** `org/name` on the Hub, where it is known to come from there. */
  repo: string | null;
}

export class RegistryImports {
  readonly #table: RegistryTable;
  readonly #list: Statement;
  readonly #put: Statement;
  readonly #remove: Statement;

  constructor(table: RegistryTable) {
    this.#table = table;
    this.#list = table.prepare("SELECT * FROM imports ORDER BY model_id");
    this.#put = table.prepare(`
      INSERT INTO imports (model_id, program, name, parts, mmproj_path, repo, added_at)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (model_id) DO UPDATE SET program = excluded.program, name = excluded.name,
        parts = excluded.parts, mmproj_path = excluded.mmproj_path, repo = excluded.repo`);
    this.#remove = table.prepare("DELETE FROM imports WHERE model_id = ?");
  }

  /** A row without readable paths is left out. */
  list(): ImportRecord[] {
    return this.#list.all().flatMap((row) => recordFrom(row) ?? []);
  }

  /** On the disk when it returns: only the user knew it. */
  put(record: ImportRecord): void {
    this.#table.writeDurably(() =>
      this.#put.run(
        record.modelId,
        record.program,
        record.name,
        JSON.stringify(record.parts),
        record.mmprojPath,
        record.repo,
        new Date().toISOString(),
      )
    );
  }

  remove(modelId: string): void {
    this.#table.writeDurably(() => this.#remove.run(modelId));
  }
}

function recordFrom(row: Row): ImportRecord | null {
  const parts = pathsOf(row["parts"]);
  if (parts === null) return null;
  return {
    modelId: String(row["model_id"]),
    program: String(row["program"]),
    name: String(row["name"]),
    parts,
    mmprojPath: textOf(row["mmproj_path"]),
    repo: textOf(row["repo"]),
  };
}

function pathsOf(value: unknown): string[] | null {
  const paths = jsonOf(value);
  const isList = Array.isArray(paths) && paths.length > 0 &&
    paths.every((path) => typeof path === "string");
  return isList ? paths : null;
}

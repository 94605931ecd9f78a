// Another program that reads registry.db: for each line on stdin one line with the instances' rows.

import { DatabaseSync } from "node:sqlite";

if (import.meta.main) {
  const database = new DatabaseSync(Deno.args[0]!, { readOnly: true });
  const encoder = new TextEncoder();
  const buffer = new Uint8Array(64);
  while (await Deno.stdin.read(buffer) !== null) {
    const rows = database.prepare("SELECT * FROM instances ORDER BY model_id").all();
    await Deno.stdout.write(encoder.encode(`${JSON.stringify(rows)}\n`));
  }
  database.close();
}

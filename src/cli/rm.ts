// `zombiecoder rm MODEL`: removes its files; one of another program is only forgotten.

import { sizeText } from "./amounts.ts";
import type { CommandContext } from "./command_context.ts";
import { confirm } from "./confirm.ts";
import { connect } from "./connection.ts";
import { findModel, modelPath } from "./model_lookup.ts";
import { jsonText, plainLine } from "./plain_text.ts";

export async function removeModel(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  using client = await connect(context);
  const row = await findModel(client, loaded.words[0]!);
  const name = plainLine(row.id);
  const question = row.source === "import"
    ? `Forget ${name}? Its file stays where the other program keeps it`
    : `Remove ${name} (${sizeText(row.size_bytes)}) from the disk?`;
  if (!await confirm(context, question)) {
    terminal.err("Nothing was removed\n");
    return 0;
  }
  await client.json(modelPath(row.id), { method: "DELETE" });
  terminal.out(
    loaded.switches.has("json")
      ? `${jsonText({ id: row.id, removed: true })}\n`
      : `Removed ${name}\n`,
  );
  return 0;
}

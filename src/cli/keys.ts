// `zombiecoder keys`, `keys add NAME`, `keys revoke ID`: who may ask this server.

import type { KeyRow, NewKeyRow } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { CommandContext } from "./command_context.ts";
import { connect } from "./connection.ts";
import { jsonText, plainLine } from "./plain_text.ts";
import type { ServerClient } from "./server_client.ts";
import { formatTable } from "./table.ts";

export async function manageKeys(context: CommandContext): Promise<number> {
  const { words, switches } = context.loaded;
  const [action = "list", subject] = words;
  const isList = action === "list" && subject === undefined;
  if (!isList && (subject === undefined || !["add", "revoke"].includes(action))) {
    throw new AppError(
      "bad_flag",
      "Cannot tell what to do: write zombiecoder keys, keys add NAME or keys revoke ID",
    );
  }
  const scope = switches.get("scope") ?? "use";
  if (scope !== "use" && scope !== "admin") {
    throw new AppError(
      "bad_flag",
      `Cannot use --scope ${JSON.stringify(scope)}: it is use or admin`,
    );
  }
  using client = await connect(context);
  if (action === "add") return await add(context, { client, name: subject!, scope });
  if (action === "revoke") return await revoke(context, { client, subject: subject! });
  return list(context, await client.json<KeyRow[]>("/admin/keys"));
}

function list({ terminal, loaded }: CommandContext, rows: readonly KeyRow[]): number {
  if (loaded.switches.has("json")) {
    terminal.out(`${jsonText(rows, 2)}\n`);
    return 0;
  }
  terminal.out(formatTable(
    [{ title: "ID" }, { title: "NAME", shrinks: true }, { title: "SCOPE" }, { title: "MADE" }, {
      title: "LAST USED",
    }],
    {
      rows: rows.map(({ id, name, scope, created_at, last_used_at }) => [
        id,
        name,
        scope,
        dayText(created_at) ?? "at start",
        dayText(last_used_at) ?? "",
      ]),
      width: terminal.hasOutput ? terminal.columns() : null,
      paint: terminal.paint,
    },
  ));
  if (rows.length === 0) {
    terminal.err("No key: every program on this computer may ask\n");
  }
  return 0;
}

/** The key alone on standard output, so that a script can take it. */
async function add(
  { terminal, loaded }: CommandContext,
  { client, name, scope }: { client: ServerClient; name: string; scope: string },
): Promise<number> {
  const row = await client.json<NewKeyRow>("/admin/keys", {
    method: "POST",
    body: { name, scope },
  });
  if (loaded.switches.has("json")) {
    terminal.out(`${jsonText(row, 2)}\n`);
    return 0;
  }
  terminal.err(
    `Made the key ${plainLine(row.name)} (${row.scope}, ID ${plainLine(row.id)}). ` +
      "It is shown this once:\n",
  );
  terminal.out(`${plainLine(row.key)}\n`);
  return 0;
}

/** By its ID, or by its name: no two keys share one. */
async function revoke(
  { terminal, loaded }: CommandContext,
  { client, subject }: { client: ServerClient; subject: string },
): Promise<number> {
  const rows = await client.json<KeyRow[]>("/admin/keys");
  const id = rows.find((row) => row.id === subject)?.id ??
    rows.find((row) => row.name.toLowerCase() === subject.toLowerCase())?.id;
  if (id === undefined) {
    throw new AppError(
      "key_not_found",
      `Cannot find the key ${JSON.stringify(subject)}. zombiecoder keys lists them`,
      { values: { key: subject } },
    );
  }
  await client.json(`/admin/keys/${encodeURIComponent(id)}`, { method: "DELETE" });
  const json = loaded.switches.has("json");
  terminal.out(json ? `${jsonText({ id, revoked: true })}\n` : `Revoked ${plainLine(id)}\n`);
  return 0;
}

function dayText(isoTime: string | null): string | null {
  return isoTime === null ? null : isoTime.slice(0, 16).replace("T", " ");
}

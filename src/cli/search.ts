// `zombiecoder search WORDS`: repositories of the Hub; of the first ones each quantization with its fit.
// A whole name, `org/name`, shows that repository alone.

import type { HubRepo, HubRepoRow } from "../api_types.ts";
import { AppError } from "../errors.ts";
import { countText } from "./amounts.ts";
import type { CommandContext } from "./command_context.ts";
import { connect } from "./connection.ts";
import { hubTable } from "./hub_table.ts";
import { jsonText, plainLine } from "./plain_text.ts";
import { repoPath } from "./pull_target.ts";
import type { ServerClient } from "./server_client.ts";
import { StatusLine } from "./status_line.ts";

interface Found {
  repos: HubRepoRow[];
  cursor: string | null;
}

/** Each costs a look at the Hub, and a screen has an end. */
const MOST_DETAILED = 4;
const MOST_LISTED = 20;

export async function searchHub(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  const words = loaded.words.join(" ");
  using client = await connect(context);
  using status = new StatusLine(terminal);
  status.show("Asking the Hub");
  const json = loaded.switches.has("json");
  if (/^[\w.-]+\/[\w.-]+$/.test(words)) {
    const repo = await client.json<HubRepo>(repoPath(words));
    status.clear();
    terminal.out(json ? `${jsonText(repo, 2)}\n` : repoText(context, repo));
    return 0;
  }
  const found = await client.json<Found>(`/admin/hub/search?q=${encodeURIComponent(words)}`);
  if (json) {
    status.clear();
    terminal.out(`${jsonText(found, 2)}\n`);
    return 0;
  }
  const { repos } = found;
  for (const row of repos.slice(0, MOST_DETAILED)) {
    status.show(`Reading ${row.repo}`);
    const text = await detailsOf(context, { client, row });
    status.clear();
    terminal.out(text);
  }
  const others = repos.slice(MOST_DETAILED, MOST_LISTED);
  if (others.length > 0) terminal.out(`${terminal.paint("bold", "Also found")}\n`);
  for (const { repo, downloads } of others) {
    terminal.out(`  ${plainLine(repo)}${downloadsText(downloads)}\n`);
  }
  if (repos.length === 0) terminal.err("Nothing was found. Try fewer or other words\n");
  else terminal.err("zombiecoder pull hf.co/ORG/REPO:QUANTIZATION downloads one\n");
  return 0;
}

// One repository that cannot be read must not hide the others.
async function detailsOf(
  context: CommandContext,
  { client, row }: { client: ServerClient; row: HubRepoRow },
): Promise<string> {
  try {
    return repoText(context, await client.json<HubRepo>(repoPath(row.repo)));
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "server_unreachable") throw error;
    const { paint } = context.terminal;
    return `${paint("bold", plainLine(row.repo))}\n${paint("red", plainLine(error.message))}\n\n`;
  }
}

function repoText({ terminal }: CommandContext, repo: HubRepo): string {
  const { paint } = terminal;
  const facts = [
    repo.parameters === null ? null : `${countText(repo.parameters)} parameters`,
    repo.license,
    repo.gated === false ? null : "gated: its owner wants you to accept terms first",
    repo.offline ? `as of ${repo.fetched_at.slice(0, 10)}, the Hub cannot be reached` : null,
  ].filter((fact) => fact !== null).join(", ");
  const head = `${paint("bold", plainLine(repo.repo))}${downloadsText(repo.downloads)}\n`;
  const about = facts === "" ? "" : `${paint("dim", plainLine(facts))}\n`;
  const table = repo.models.length === 0
    ? "No model that can be used\n"
    : hubTable(repo.models, terminal);
  return `${head}${about}${table}\n`;
}

function downloadsText(downloads: number | null): string {
  return downloads === null ? "" : `  ${countText(downloads)} downloads`;
}

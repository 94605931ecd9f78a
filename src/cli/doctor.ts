// `zombiecoder doctor`: what is wrong on this computer, each with what helps. It ends with 1 where
// something is broken.

import type { CommandContext } from "./command_context.ts";
import { connectRunning } from "./connection.ts";
import { examinations, type Finding, found, split } from "./doctor_checks.ts";
import { AppError } from "../errors.ts";
import { jsonText, plainLine } from "./plain_text.ts";
import { ServerClient } from "./server_client.ts";
import { StatusLine } from "./status_line.ts";

export async function examine(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  const findings: Finding[] = [];
  using status = new StatusLine(terminal);
  const json = loaded.switches.has("json");
  function note(finding: Finding): void {
    findings.push(finding);
    status.clear();
    if (!json) terminal.out(textOf(context, finding));
  }

  status.show("Starting the server");
  const started = await serverOf(context);
  note(started.finding);
  if (started.client !== null) {
    using client = started.client;
    try {
      for (const { title, check } of examinations(client)) {
        status.show(title);
        for (const finding of await check()) note(finding);
      }
    } catch (error) {
      // What could not be asked is no finding of its own: a key is missing, or the server has ended.
      note(brokenServer(error));
    }
  }
  if (json) terminal.out(`${jsonText(findings, 2)}\n`);
  const broken = findings.filter(({ level }) => level === "broken").length;
  if (!json) {
    terminal.out(broken === 0 ? "\nEverything that is needed works\n" : `\n${broken} broken\n`);
  }
  return broken === 0 ? 0 : 1;
}

async function serverOf(
  context: CommandContext,
): Promise<{ finding: Finding; client: ServerClient | null }> {
  try {
    const running = await connectRunning(context);
    if (running !== null) {
      return { finding: found("server", ["ok", `Runs at ${running.address}`]), client: running };
    }
    const { address } = await context.servers.start();
    const client = new ServerClient({ address, apiKey: context.loaded.config.apiKey });
    const text = `Started in the background at ${client.address}`;
    return { finding: found("server", ["ok", text]), client };
  } catch (error) {
    return { finding: brokenServer(error), client: null };
  }
}

function brokenServer(error: unknown): Finding {
  if (!(error instanceof AppError)) throw error;
  return found("server", ["broken", ...split(error.message, "zombiecoder logs may show why")]);
}

const SIGNS = {
  ok: { sign: "ok", paint: "green" },
  warning: { sign: "!", paint: "yellow" },
  broken: { sign: "broken", paint: "red" },
} as const;

function textOf({ terminal }: CommandContext, { check, level, finding, remedy }: Finding): string {
  const { sign, paint } = SIGNS[level];
  const head = `${terminal.paint(paint, sign.padEnd(6))}  ${
    terminal.paint("bold", check.padEnd(8))
  }`;
  const help = remedy === null ? "" : `${" ".repeat(18)}${plainLine(remedy)}\n`;
  return `${head}  ${plainLine(finding)}\n${help}`;
}

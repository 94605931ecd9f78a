// `zombiecoder scope`: what the server may do and what it never can, what the host may, which cage holds,
// and what is missing with what that costs. In words, of what the running server really got.

import { isLoopback } from "../addresses.ts";
import type { ScopeInfo } from "../api_types.ts";
import { joined, netWords } from "../net_words.ts";
import type { CommandContext } from "./command_context.ts";
import { connect } from "./connection.ts";
import { jsonText, plainLine } from "./plain_text.ts";

export async function printScope(context: CommandContext): Promise<number> {
  const { loaded, terminal } = context;
  using client = await connect(context);
  const scope = await client.json<ScopeInfo>("/admin/scope");
  if (loaded.switches.has("json")) {
    terminal.out(`${jsonText(scope, 2)}\n`);
    return 0;
  }
  for (const section of sections(scope)) {
    terminal.out(`${terminal.paint("bold", section.title)}\n`);
    for (const { label, lines } of section.rows) {
      for (const [index, line] of lines.entries()) {
        const head = index === 0 ? label : "";
        terminal.out(`  ${head.padEnd(LABEL_WIDTH)}  ${plainLine(line)}\n`);
      }
    }
  }
  return 0;
}

const LABEL_WIDTH = 8;

interface Section {
  title: string;
  rows: { label: string; lines: string[] }[];
}

const NEVER = [
  "start or signal a program",
  "read the environment",
  "load native code",
  "import code from the network",
  "ask what computer this is",
];

export function sections(scope: ScopeInfo): Section[] {
  const { permissions: { read, write, net }, missing, runtime_home: runtimeHome, cage } = scope;
  return [
    {
      title: "The server, which answers the network",
      rows: [
        { label: "reads", lines: orNothing(read) },
        { label: "writes", lines: orNothing(write) },
        { label: "reaches", lines: orNothing(netLines(net)) },
        { label: "never", lines: NEVER },
      ],
    },
    {
      title: "The host, which answers the server alone",
      rows: [
        {
          label: "does",
          lines: [
            "start and end llama-server, with arguments from a fixed list",
            `find llama.cpp, or install it in ${runtimeHome}`,
            "read what the system tells of this computer",
          ],
        },
        {
          label: "may",
          lines: [missing.length === 0 ? "do what your user may" : "do less than it would like"],
        },
      ],
    },
    {
      title: "The cage, around each llama-server",
      rows: [{ label: "holds", lines: cageLines(cage) }],
    },
    {
      title: "Missing",
      rows: missing.length === 0 ? [{ label: "", lines: ["nothing"] }] : missing.map((
        { permission, costs },
      ) => ({ label: "", lines: [permission, `  ${costs.message}`] })),
    },
  ];
}

function orNothing(lines: string[]): string[] {
  return lines.length === 0 ? ["nothing"] : lines;
}

function netLines(net: readonly string[]): string[] {
  const { sockets, groups } = netWords(net);
  const lines = groups.map(({ hosts, ports }) => {
    const word = /^\d+$/.test(ports) ? "port" : "ports";
    return hosts.every(isLoopback)
      ? `${word} ${ports} of this computer (${hosts.join(", ")})`
      : `${joined(hosts)}, ${word} ${ports}`;
  });
  if (sockets.length === 0) return lines;
  const folder = sockets[0]!.slice(0, sockets[0]!.lastIndexOf("/"));
  const count = sockets.length === 1 ? "1 socket" : `${sockets.length} sockets`;
  return [...lines, `its models, on ${count} in ${folder}`];
}

function cageLines({ mode, active, reason }: ScopeInfo["cage"]): string[] {
  if (active !== null) return [`${active} (--cage ${mode})`, ...reason === null ? [] : [reason]];
  if (reason !== null) return [`none (--cage ${mode})`, reason];
  return [mode === "off" ? "none (--cage off)" : "which one, the first model's start will tell"];
}

// Measures us against llama-server alone, nginx, and llama-server's router mode, all in one run.
// What is measured and why it is judged by ratios: README.md.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { direct } from "./contenders/direct.ts";
import { nginx } from "./contenders/nginx.ts";
import { ours } from "./contenders/ours.ts";
import { router } from "./contenders/router.ts";
import { measureDownloads } from "./download.ts";
import { judge } from "./goals.ts";
import { findLlamaServer } from "./llama_server.ts";
import { readMachine } from "./machine.ts";
import { Measuring } from "./measuring.ts";
import type { Participant } from "./measuring.ts";
import { writeModels } from "./models.ts";
import { type BenchOptions, parseBenchOptions, USAGE } from "./options.ts";
import { print, printProgress } from "./print.ts";
import { endProcesses, processTree, signalProcess } from "./process_tree.ts";
import { printReport, writeReport } from "./report.ts";
import { Summary } from "./rows.ts";
import { findTool } from "./tools.ts";

const RESULTS = join(import.meta.dirname ?? ".", "results");
/** As a shell says it: 128 and the number of SIGINT. */
const EXIT_INTERRUPTED = 130;

async function main(): Promise<number> {
  let options: BenchOptions | null;
  try {
    options = parseBenchOptions(Deno.args);
  } catch (error) {
    printProgress(error instanceof Error ? error.message : `${error}`);
    return 2;
  }
  if (options === null) {
    print(USAGE);
    return 0;
  }
  const folder = await mkdtemp(join(tmpdir(), "zombie-bench-"));
  const interruption = onInterrupt(folder);
  try {
    return await bench(options, folder);
  } catch (error) {
    // Its processes were taken away from it: that is no failure to report.
    if (interruption.began) return await interruption.end;
    for (let each = error; each instanceof Error; each = each.cause) printProgress(each.message);
    return 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function bench(options: BenchOptions, folder: string): Promise<number> {
  const startedAt = new Date();
  const toolOptions = { cache: join(RESULTS, "tools"), ignorePath: options.privateTools };
  const wrk = await findTool("wrk", toolOptions);
  const wantsNginx = options.contenders.has("nginx") || options.rows.has("download");
  const nginxTool = wantsNginx ? await findTool("nginx", toolOptions) : null;
  const llamaServer = await findLlamaServer(options.llamaServer);
  const machine = await readMachine({ llamaServer, wrk, nginx: nginxTool });
  const models = await writeModels(join(folder, "models"), {
    large: options.rows.has("cold-large"),
  });
  const { peerFlags } = options;
  const start = { models, llamaServer, nginx: nginxTool, peerFlags };
  const measuring = new Measuring({ bench: options, wrk, folder, start });

  let roundsDone = 0;
  {
    await using stack = new AsyncDisposableStack();
    const participants: Participant[] = [];
    for (const contender of [direct, nginx, router, ours]) {
      if (!options.contenders.has(contender.name)) continue;
      const participant = await measuring.start(contender);
      stack.use(participant.running);
      participants.push(participant);
    }
    while (roundsDone < options.rounds && Date.now() - startedAt.getTime() < options.limitMs) {
      await measuring.round(participants, roundsDone + 1);
      roundsDone++;
    }
  }

  if (options.rows.has("download")) {
    const { rounds } = options;
    const tools = { folder, llamaServer, nginx: nginxTool! };
    measuring.samples.push(...await measureDownloads({ rounds, ...tools }));
  }

  const summary = new Summary(measuring.samples);
  const goals = judge(summary);
  const report = {
    startedAt: startedAt.toISOString(),
    tookSeconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    roundsDone,
    machine,
    args: Deno.args,
    measuring,
    summary,
    goals,
  };
  printReport(report);
  print(`Written to ${await writeReport(report, RESULTS)}`);
  return options.strict && goals.some((goal) => goal.passed === false) ? 1 : 0;
}

interface Interruption {
  readonly began: boolean;
  readonly end: Promise<number>;
}

/** On Ctrl-C everything below this process is ended, each by its own pid, and the folder goes. */
function onInterrupt(folder: string): Interruption {
  const { promise, resolve } = Promise.withResolvers<number>();
  const interruption = { began: false, end: promise };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      if (interruption.began) return;
      interruption.began = true;
      endEverything(folder).then(resolve);
    });
  }
  return interruption;
}

async function endEverything(folder: string): Promise<number> {
  const below = processTree(Deno.pid).filter((each) => each.pid !== Deno.pid);
  below.forEach((each) => signalProcess(each.pid, "SIGTERM"));
  await endProcesses(below);
  await rm(folder, { recursive: true, force: true });
  return Deno.exit(EXIT_INTERRUPTED);
}

if (import.meta.main) Deno.exit(await main());

// `zombiecoder runtime list | install [VARIANT] | cancel | use NAME | remove NAME`: the builds of llama.cpp.

import type { InstalledRuntime, RuntimeJob, RuntimeList } from "../api_types.ts";
import { AppError } from "../errors.ts";
import { abortableDelay } from "../within.ts";
import { sizeText } from "./amounts.ts";
import type { CommandContext } from "./command_context.ts";
import { confirm } from "./confirm.ts";
import { connect, connectRunning } from "./connection.ts";
import { jsonText, plainLine } from "./plain_text.ts";
import { bar } from "./progress_bar.ts";
import type { ServerClient } from "./server_client.ts";
import { StatusLine } from "./status_line.ts";
import { formatTable } from "./table.ts";

const PATH = "/admin/runtimes";
const LOOK_MS = 250;
const BAR_COLUMNS = 20;
/** As a shell has it for what Ctrl-C ended. */
const INTERRUPTED = 130;

export async function manageRuntimes(context: CommandContext): Promise<number> {
  const [action = "list", subject] = context.loaded.words;
  const isWhole = action === "list" || action === "cancel"
    ? subject === undefined
    : action === "install" || ((action === "use" || action === "remove") && subject !== undefined);
  if (!isWhole) {
    throw new AppError(
      "bad_flag",
      "Cannot tell what to do: write zombiecoder runtime list, runtime install [VARIANT], " +
        "runtime cancel, runtime use NAME or runtime remove NAME",
    );
  }
  if (action === "cancel") return await cancel(context);
  using client = await connect(context);
  if (action === "install") return await install(context, { client, variant: subject });
  if (action === "use") return await use(context, { client, name: subject! });
  if (action === "remove") return await remove(context, { client, name: subject! });
  return print(context, await client.json<RuntimeList>(PATH));
}

function print({ terminal, loaded }: CommandContext, list: RuntimeList): number {
  if (loaded.switches.has("json")) {
    terminal.out(`${jsonText(list, 2)}\n`);
    return 0;
  }
  const width = terminal.hasOutput ? terminal.columns() : null;
  const { paint } = terminal;
  if (list.installed.length === 0) terminal.err("No build of llama.cpp is here yet\n");
  else {
    terminal.out(formatTable(
      [
        ...[{ title: "NAME" }, { title: "BUILD", align: "right" as const }],
        ...[{ title: "RUNS ON", shrinks: true }, { title: "SIZE", align: "right" as const }],
        ...[{ title: "CHECKED" }, { title: "STATE" }],
      ],
      { rows: list.installed.map(installedRow), width, paint },
    ));
  }
  const offers = list.available.filter(({ installed }) => installed === null);
  if (offers.length > 0) {
    terminal.out(`\n${
      formatTable(
        [
          ...[{ title: "TO INSTALL" }, { title: "SIZE", align: "right" as const }],
          ...[{ title: "CHECKED" }, { title: "WHY", shrinks: true }],
        ],
        {
          rows: offers.map(({ variant, size_bytes, verified, offered, recommended, reason }) => [
            { text: variant, ...(!offered && { paint: "dim" as const }) },
            sizeText(size_bytes),
            verified,
            `${reason}${recommended ? " (recommended)" : offered ? "" : " (not offered)"}`,
          ]),
          width,
          paint,
        },
      )
    }`);
  }
  for (const { name, refusal } of list.installed) {
    if (refusal !== null) terminal.err(`${plainLine(name)}: ${plainLine(refusal)}\n`);
  }
  if (list.flag !== null) {
    terminal.err(`--llama-server decides what is used: ${plainLine(list.flag)}\n`);
  }
  if (list.job?.state === "installing") terminal.err(`${plainLine(jobText(list.job))}\n`);
  return 0;
}

function installedRow(row: InstalledRuntime) {
  const { name, build, devices, size_bytes, verified, active, refusal } = row;
  return [
    name,
    build === null ? "" : String(build),
    devices.length === 0 ? "CPU" : devices.map((each) => each.name).join(", "),
    sizeText(size_bytes),
    verified ?? "",
    refusal !== null
      ? { text: "cannot be used", paint: "red" as const }
      : active
      ? { text: "in use", paint: "green" as const }
      : "",
  ];
}

async function install(
  context: CommandContext,
  { client, variant }: { client: ServerClient; variant: string | undefined },
): Promise<number> {
  const { switches } = context.loaded;
  const begin = (unverified: boolean) =>
    client.json<RuntimeList>(PATH, {
      method: "POST",
      body: {
        action: "install",
        ...(variant !== undefined && { variant }),
        ...(switches.has("latest") && { latest: true }),
        ...(unverified && { unverified: true }),
      },
    });
  try {
    return await follow(context, { client, begin: () => begin(switches.has("unverified")) });
  } catch (error) {
    const canAsk = context.terminal.hasInput && context.terminal.hasErrors;
    if (!isUnverified(error) || !canAsk || switches.has("yes")) throw error;
    const question = "No checksum of this build is part of this program: only the server that " +
      "sends it vouches for it. Install it all the same?";
    if (await confirm(context, question)) {
      return await follow(context, { client, begin: () => begin(true) });
    }
    context.terminal.err("Nothing was installed\n");
    return 0;
  }
}

function isUnverified(error: unknown): boolean {
  return error instanceof AppError && error.code === "runtime_refused" &&
    error.values.reason === "unverified";
}

/** Ctrl-C cancels it. It belongs to the server: where this program ends otherwise, it goes on. */
async function follow(
  context: CommandContext,
  { client, begin }: { client: ServerClient; begin(): Promise<RuntimeList> },
): Promise<number> {
  const { terminal, loaded } = context;
  const isJson = loaded.switches.has("json");
  let left = new AbortController();
  using interrupt = terminal.onSignal("interrupt", () => {
    left.abort();
    // Whoever presses it again does not wait for the server.
    interrupt[Symbol.dispose]();
  });
  using status = new StatusLine(terminal);
  let told = "";
  for (let list = await begin();; list = await client.json<RuntimeList>(PATH)) {
    const job = list.job!;
    const text = isJson ? jsonText(job) : terminal.hasErrors ? jobText(job) : job.activity ?? "";
    if (isJson && text !== told) terminal.out(`${text}\n`);
    else if (!isJson && terminal.hasErrors) status.show(text);
    else if (text !== told && text !== "") terminal.err(`${plainLine(text)}\n`);
    told = text;
    if (job.state !== "installing") {
      status.clear();
      return end(context, { job, list });
    }
    await abortableDelay(LOOK_MS, left.signal);
    if (!left.signal.aborted) continue;
    status.clear();
    if (await isCancelled(context, { client, variant: job.variant })) return INTERRUPTED;
    left = new AbortController();
  }
}

/** False where it came too late: it ends by itself. */
async function isCancelled(
  { terminal, loaded }: CommandContext,
  { client, variant }: { client: ServerClient; variant: string },
): Promise<boolean> {
  try {
    const body = { action: "cancel", variant };
    const { job } = await client.json<RuntimeList>(PATH, { method: "POST", body });
    if (loaded.switches.has("json")) terminal.out(`${jsonText(job)}\n`);
    else terminal.err(`${plainLine(cancelledText(variant))}\n`);
    return true;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "runtime_refused") throw error;
    if (error.values.reason === "too_late") terminal.err(`${plainLine(error.message)}\n`);
    return false;
  }
}

function cancelledText(variant: string): string {
  return `Cancelled ${variant}: nothing of it is left, and what is here is as it was`;
}

/** Of the server that runs, whoever began it. */
async function cancel(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  using client = await connectRunning(context);
  const job = client === null ? null : (await client.json<RuntimeList>(PATH)).job;
  if (client === null || job?.state !== "installing") {
    throw new AppError(
      "runtime_refused",
      "Cannot cancel: nothing is being installed. zombiecoder runtime list shows what is here",
    );
  }
  const body = { action: "cancel", variant: job.variant };
  const list = await client.json<RuntimeList>(PATH, { method: "POST", body });
  terminal.out(
    loaded.switches.has("json")
      ? `${jsonText(list)}\n`
      : `${plainLine(cancelledText(job.variant))}\n`,
  );
  return 0;
}

function end(
  { terminal, loaded }: CommandContext,
  { job, list }: { job: RuntimeJob; list: RuntimeList },
): number {
  if (job.error !== null) throw AppError.fromData(job.error as never);
  if (loaded.switches.has("json")) return 0;
  const name = plainLine(job.name ?? job.variant);
  const verified = list.installed.find((row) => row.name === job.name)?.verified ?? null;
  const trust = verified === "unverified" ? ", unverified" : "";
  terminal.out(
    list.flag === null
      ? `Installed ${name}${trust}: the next load uses it\n`
      : `Installed ${name}${trust}. It is not used: --llama-server decides\n`,
  );
  return 0;
}

function jobText({ variant, activity, progress }: RuntimeJob): string {
  const drawn = progress === null
    ? ""
    : `${bar(progress, BAR_COLUMNS)}  ${String(Math.floor(progress * 100)).padStart(3)} %  `;
  return `${variant}  ${drawn}${activity ?? ""}`;
}

async function use(
  { terminal, loaded }: CommandContext,
  { client, name }: { client: ServerClient; name: string },
): Promise<number> {
  const body = { action: "use", name };
  const list = await client.json<RuntimeList>(PATH, { method: "POST", body });
  const active = list.installed.find((row) => row.active)?.name ?? name;
  terminal.out(
    loaded.switches.has("json")
      ? `${jsonText(list)}\n`
      : `The next load uses ${plainLine(active)}. Models that run go on as they are\n`,
  );
  return 0;
}

async function remove(
  context: CommandContext,
  { client, name }: { client: ServerClient; name: string },
): Promise<number> {
  const { terminal, loaded } = context;
  const { installed } = await client.json<RuntimeList>(PATH);
  const size = installed.find((row) => row.name === name)?.size_bytes ?? null;
  // What cannot be removed is told without a question.
  const isThere = installed.some((row) => row.name === name && row.removable);
  if (isThere && !await confirm(context, `Remove ${plainLine(name)} (${sizeText(size)})?`)) {
    terminal.err("Nothing was removed\n");
    return 0;
  }
  const body = { action: "remove", name };
  const list = await client.json<RuntimeList>(PATH, { method: "POST", body });
  terminal.out(
    loaded.switches.has("json") ? `${jsonText(list)}\n` : `Removed ${plainLine(name)}\n`,
  );
  return 0;
}

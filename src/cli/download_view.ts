// Shows a download until it is done, or its watcher leaves.

import type { DownloadList, DownloadRow } from "../api_types.ts";
import { AppError } from "../errors.ts";
import { abortableDelay } from "../within.ts";
import { sizeText } from "./amounts.ts";
import type { CommandContext } from "./command_context.ts";
import { jsonText, plainLine } from "./plain_text.ts";
import { progressLine, progressText } from "./progress_bar.ts";
import type { ServerClient } from "./server_client.ts";
import { StatusLine } from "./status_line.ts";

const LOOK_MS = 250;
/** Where no terminal shows a bar, a line for each of so many parts. */
const STEPS = 10;

/** Returns the exit code: 0 when it is done, and when it is left to go on. */
export async function followDownload(
  context: CommandContext,
  { client, row: first }: { client: ServerClient; row: DownloadRow },
): Promise<number> {
  const { terminal } = context;
  const left = new AbortController();
  using _interrupt = terminal.onSignal("interrupt", () => left.abort());
  using view = new DownloadView(context);
  let row = first;
  while (true) {
    view.show(row);
    if (row.state === "done") return view.end(row);
    if (row.state === "failed") {
      throw new AppError("download_failed", row.error?.message ?? "The download failed");
    }
    await abortableDelay(LOOK_MS, left.signal);
    if (left.signal.aborted) return view.leave(row);
    const { downloads } = await client.json<DownloadList>("/admin/downloads");
    const found = downloads.find(({ id }) => id === first.id);
    if (found === undefined) {
      throw new AppError("download_not_found", "The download was cancelled by somebody else");
    }
    row = found;
  }
}

class DownloadView implements Disposable {
  readonly #context: CommandContext;
  readonly #status: StatusLine;
  readonly #isJson: boolean;
  #told = "";

  constructor(context: CommandContext) {
    this.#context = context;
    this.#status = new StatusLine(context.terminal);
    this.#isJson = context.loaded.switches.has("json");
  }

  show(row: DownloadRow): void {
    const { terminal } = this.#context;
    if (this.#isJson) {
      const text = jsonText(row);
      if (text !== this.#told) terminal.out(`${text}\n`);
      this.#told = text;
    } else if (terminal.hasErrors) {
      this.#status.show(progressLine(row, (terminal.columns() ?? 80) - 1));
    } else {
      this.#tell(row);
    }
  }

  #tell(row: DownloadRow): void {
    const step = Math.floor((row.bytes_done / (row.bytes_total || Infinity)) * STEPS);
    const told = `${row.state} ${step} ${row.error?.message ?? ""}`;
    if (told !== this.#told) this.#context.terminal.err(`${plainLine(progressText(row))}\n`);
    this.#told = told;
  }

  end({ model, file, bytes_total }: DownloadRow): number {
    this.#status.clear();
    if (!this.#isJson) {
      this.#context.terminal.out(
        `Downloaded ${plainLine(model ?? file)} (${
          sizeText(bytes_total)
        }), checked by its SHA-256\n`,
      );
    }
    return 0;
  }

  leave({ model, file, id }: DownloadRow): number {
    this.#status.clear();
    const { terminal, loaded } = this.#context;
    terminal.err(
      `${plainLine(model ?? file)} is downloaded further in the background. ` +
        `zombiecoder pull ${plainLine(loaded.words.join(" "))} shows it again, ` +
        `zombiecoder pull ${id} --cancel ends it\n`,
    );
    return 0;
  }

  [Symbol.dispose](): void {
    this.#status[Symbol.dispose]();
  }
}

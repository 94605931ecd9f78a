// A question to the person at the terminal that only a clear yes answers.

import { AppError } from "../errors.ts";
import type { CommandContext } from "./command_context.ts";
import { plainLine } from "./plain_text.ts";

/** True at once with `--yes`. Throws `bad_flag` where nobody can be asked. */
export async function confirm(
  { terminal, loaded }: CommandContext,
  question: string,
): Promise<boolean> {
  if (loaded.switches.has("yes")) return true;
  if (!terminal.hasInput || !terminal.hasErrors) {
    throw new AppError(
      "bad_flag",
      `Cannot ask whether to go on, as nobody is at a terminal. Add --yes to ${loaded.command.name}`,
    );
  }
  terminal.err(`${plainLine(question)} [y/N] `);
  const line = await terminal.read();
  const answer = new TextDecoder().decode(line ?? new Uint8Array()).trim();
  if (line === null) terminal.err("\n");
  return /^y(es)?$/i.test(answer);
}

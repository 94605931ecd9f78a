// `zombiecoder completions SHELL`: a script for that shell. `completions models` is what the scripts ask
// while somebody types: it starts no server and complains of nothing.

import type { ModelRow } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { CommandContext } from "./command_context.ts";
import { bashScript, fishScript, zshScript } from "./completion_scripts.ts";
import { connectRunning } from "./connection.ts";
import { jsonText, plainLine } from "./plain_text.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

export async function printCompletions(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  const shell = loaded.words[0]!;
  if (shell === "models") {
    for (const id of await modelNames(context)) terminal.out(`${plainLine(id)}\n`);
    return 0;
  }
  if (!Object.hasOwn(SCRIPTS, shell)) {
    throw new AppError(
      "bad_flag",
      `Cannot complete in ${JSON.stringify(shell)}: it is one of ${
        Object.keys(SCRIPTS).join(", ")
      }`,
    );
  }
  const script = SCRIPTS[shell as keyof typeof SCRIPTS]();
  terminal.out(loaded.switches.has("json") ? `${jsonText({ shell, script })}\n` : script);
  return 0;
}

async function modelNames(context: CommandContext): Promise<string[]> {
  try {
    using client = await connectRunning(context);
    if (client === null) return [];
    return (await client.json<ModelRow[]>("/admin/models")).map(({ id }) => id);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [];
  }
}

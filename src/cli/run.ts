// `zombiecoder run MODEL [PROMPT]`: one question, or a talk where two people could sit.

import { AppError } from "../errors.ts";
import { AnswerView } from "./answer_view.ts";
import { askModel, type ChatMessage } from "./answer.ts";
import type { CommandContext } from "./command_context.ts";
import { connect } from "./connection.ts";
import { findModel } from "./model_lookup.ts";
import type { Terminal } from "./terminal.ts";

/** After so long without a byte on a pipe somebody may wonder. */
const SILENT_MS = 3_000;

export async function runModel(context: CommandContext): Promise<number> {
  const { terminal, loaded } = context;
  const [name, ...words] = loaded.words;
  const prompt = words.join(" ");
  if (terminal.hasInput && terminal.hasOutput && prompt === "" && !loaded.switches.has("json")) {
    const { Chat } = await import("./chat.ts");
    using chat = new Chat(context, { model: name!, system: systemOf(context) });
    return await chat.talk();
  }
  const given = terminal.hasInput && prompt !== "" ? "" : await readAll(terminal);
  const question = [prompt, given].filter((text) => text.trim() !== "").join("\n\n");
  if (question === "") {
    throw new AppError(
      "bad_flag",
      `Cannot ask nothing: write zombiecoder run ${
        JSON.stringify(name)
      } PROMPT, or pipe a text into it`,
    );
  }
  return await askOnce(context, { name: name!, question });
}

async function askOnce(
  context: CommandContext,
  { name, question }: { name: string; question: string },
): Promise<number> {
  const { terminal, loaded } = context;
  using client = await connect(context);
  const { id } = await findModel(client, name);
  const messages: ChatMessage[] = [...systemOf(context), { role: "user", content: question }];
  using view = new AnswerView(terminal, { isJson: loaded.switches.has("json") });
  try {
    for await (const part of askModel(client, { model: id, messages })) view.show(part);
  } finally {
    view.end();
  }
  return 0;
}

function systemOf({ loaded }: CommandContext): ChatMessage[] {
  const system = loaded.switches.get("system");
  return typeof system === "string" ? [{ role: "system", content: system }] : [];
}

/** To its end. What never ends is told of, and waited for: nothing is left out of a question. */
async function readAll(terminal: Terminal): Promise<string> {
  const hint = setTimeout(() => {
    terminal.err("Waiting for standard input to end: close it with Ctrl-D, or add < /dev/null\n");
  }, SILENT_MS);
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let bytes = await terminal.read(); bytes !== null; bytes = await terminal.read()) {
      clearTimeout(hint);
      text += decoder.decode(bytes, { stream: true });
    }
  } finally {
    clearTimeout(hint);
  }
  return text + decoder.decode();
}

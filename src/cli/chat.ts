// A talk with a model in the terminal: questions at a prompt, answers as they come. Ctrl-C ends an
// answer, twice at the prompt the talk.

import { AppError } from "../errors.ts";
import { AnswerView } from "./answer_view.ts";
import { askModel, type ChatMessage } from "./answer.ts";
import type { CommandContext } from "./command_context.ts";
import { connect } from "./connection.ts";
import { type Key, KeyDecoder } from "./keys_pressed.ts";
import { LineEditor } from "./line_editor.ts";
import { findModel, modelPath } from "./model_lookup.ts";
import { plainLine } from "./plain_text.ts";
import { PromptView } from "./prompt_view.ts";

const PASTES_ON = "\x1b[?2004h";
const PASTES_OFF = "\x1b[?2004l";

const HELP = `/system TEXT  what the model is told before all questions; without TEXT nothing
/clear        forget the talk so far
/bye          end; Ctrl-D does, too
Ctrl-J        a new line; a paste may have many
`;

export class Chat implements Disposable {
  readonly #context: CommandContext;
  readonly #editor = new LineEditor();
  readonly #view: PromptView;
  readonly #stack = new DisposableStack();
  #model: string;
  #system: ChatMessage[];
  #talk: ChatMessage[] = [];
  /** Written while an answer came: for the next prompt. */
  readonly #ahead: Key[] = [];
  #wake: (() => void) | null = null;
  #isOver = false;
  #answering: AbortController | null = null;
  #isPrompting = false;
  /** Ctrl-C was the last thing that happened at the prompt. */
  #isLeaving = false;

  constructor(
    context: CommandContext,
    { model, system }: { model: string; system: ChatMessage[] },
  ) {
    this.#context = context;
    this.#model = model;
    this.#system = system;
    this.#view = new PromptView(context.terminal);
  }

  [Symbol.dispose](): void {
    this.#stack[Symbol.dispose]();
  }

  /** Returns the exit code. */
  async talk(): Promise<number> {
    const { terminal } = this.#context;
    {
      using client = await connect(this.#context);
      this.#model = (await findModel(client, this.#model)).id;
      // While the first question is written. What goes wrong is said to that question.
      await client.json(modelPath(this.#model, "/load?wait=false"), { method: "POST" });
    }
    this.#begin();
    terminal.out(
      terminal.paint("dim", `${plainLine(this.#model)}: /? for help, Ctrl-D to end`) + "\n",
    );
    void this.#readKeys();
    while (true) {
      const line = await this.#prompt();
      if (line === null) return 0;
      const question = line.trim();
      if (question === "") continue;
      const [, command, rest] = /^\/([a-z?]+)(?:\s+([^]*))?$/.exec(question) ?? [];
      if (command === undefined) await this.#ask(question);
      else if (command === "bye" || command === "exit") return 0;
      else this.#obey(command, rest?.trim() ?? "");
    }
  }

  #begin(): void {
    const { terminal } = this.#context;
    terminal.setKeys(true);
    terminal.out(PASTES_ON);
    this.#stack.defer(() => {
      terminal.out(PASTES_OFF);
      terminal.setKeys(false);
    });
    this.#stack.use(terminal.onSignal("interrupt", () => this.#interrupt()));
    this.#stack.use(terminal.onSignal("resize", () => this.#redraw()));
    // A shell that got us back may have changed how the terminal hands out keys.
    this.#stack.use(terminal.onSignal("continue", () => {
      terminal.setKeys(true);
      terminal.out(PASTES_ON);
      this.#redraw();
    }));
    this.#stack.use(terminal.onSignal("end", () => {
      // The shell's prompt begins on a line of its own.
      terminal.out("\n");
      this[Symbol.dispose]();
      Deno.exit(0);
    }));
  }

  async #readKeys(): Promise<void> {
    const { terminal } = this.#context;
    const decoder = new KeyDecoder();
    for (let bytes = await terminal.read(); bytes !== null; bytes = await terminal.read()) {
      for (const key of decoder.keysOf(bytes)) {
        if (key.name === "interrupt") this.#interrupt();
        else this.#ahead.push(key);
      }
      this.#wake?.();
    }
    this.#isOver = true;
    this.#wake?.();
  }

  /** The next line; null at the end. */
  async #prompt(): Promise<string | null> {
    this.#isPrompting = true;
    this.#redraw();
    try {
      while (true) {
        for (let key = this.#ahead.shift(); key !== undefined; key = this.#ahead.shift()) {
          this.#isLeaving = false;
          const pressed = this.#editor.press(key);
          if (pressed === "end") return null;
          if (pressed === "clear") this.#view.clearScreen();
          if (pressed === "line") {
            this.#view.draw({ text: this.#editor.text, cursor: this.#editor.text.length });
            return this.#editor.take();
          }
          // What is pasted or held down is drawn once.
          if (pressed !== "nothing" && this.#ahead.length === 0) this.#redraw();
        }
        if (this.#isOver) return null;
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      this.#wake = null;
      this.#isPrompting = false;
      this.#view.leave();
    }
  }

  #redraw(): void {
    if (this.#isPrompting) this.#view.draw(this.#editor);
  }

  #interrupt(): void {
    if (this.#answering !== null) {
      this.#answering.abort();
      // What was typed blindly was not meant for a next question.
      this.#ahead.length = 0;
      return;
    }
    if (!this.#isPrompting) return;
    if (this.#isLeaving) {
      this.#isOver = true;
      this.#wake?.();
      return;
    }
    this.#isLeaving = true;
    this.#editor.clear();
    this.#view.leave();
    this.#context.terminal.out(this.#context.terminal.paint("dim", "Ctrl-C again to end") + "\n");
    this.#redraw();
  }

  #obey(command: string, rest: string): void {
    const { terminal } = this.#context;
    switch (command) {
      case "clear":
        this.#talk = [];
        terminal.out("The talk so far is forgotten\n");
        return;
      case "system":
        this.#system = rest === "" ? [] : [{ role: "system", content: rest }];
        terminal.out(
          rest === "" ? "The model is told nothing before\n" : "The model is told that\n",
        );
        return;
      case "help":
      case "?":
        terminal.out(HELP);
        return;
      default:
        terminal.err(`Unknown command /${command}. /? lists them\n`);
    }
  }

  async #ask(question: string): Promise<void> {
    const { terminal } = this.#context;
    const asked: ChatMessage[] = [...this.#talk, { role: "user", content: question }];
    const abort = this.#answering = new AbortController();
    using view = new AnswerView(terminal, { isJson: false });
    let failure: string | null = null;
    try {
      // Anew for each question: the server may have ended meanwhile.
      using client = await connect(this.#context);
      const messages = [...this.#system, ...asked];
      for await (
        const part of askModel(client, { model: this.#model, messages, signal: abort.signal })
      ) {
        view.show(part);
        if (abort.signal.aborted) break;
      }
    } catch (error) {
      if (!abort.signal.aborted) {
        if (!(error instanceof AppError)) throw error;
        failure = error.message + adviceOf(error, this.#talk);
      }
    } finally {
      this.#answering = null;
      view.end();
    }
    if (failure !== null) terminal.err(`${terminal.paintErrors("red", plainLine(failure))}\n`);
    if (abort.signal.aborted) terminal.out(`${terminal.paint("dim", "Stopped")}\n`);
    // A question that nothing answered is as good as not asked.
    if (view.text !== "") this.#talk = [...asked, { role: "assistant", content: view.text }];
  }
}

/** A talk that has grown too long is the one thing that its own commands help with. */
function adviceOf({ values }: AppError, talk: readonly ChatMessage[]): string {
  const isTooLong = values.type === "exceed_context_size_error" && talk.length > 0;
  return isTooLong ? ". /clear forgets the talk so far" : "";
}

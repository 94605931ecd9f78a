// The one table of commands: their words and flags, for reading arguments, help and completions.

export interface CommandFlag {
  readonly name: string;
  /** One letter, for `-f`. */
  readonly short?: string;
  /** What stands for its value in a usage line; none = it takes no value. */
  readonly value?: string;
  readonly help: string;
}

export interface Command {
  readonly name: string;
  readonly help: string;
  /** How its own words look in the usage line; "" = it takes none. */
  readonly usage: string;
  readonly leastWords: number;
  readonly mostWords: number;
  /** Flags that only some commands have. */
  readonly switches: readonly CommandFlag[];
  /** False = it answers even where the settings are wrong. */
  readonly needsSettings: boolean;
}

const JSON_FLAG: CommandFlag = { name: "json", help: "As JSON, for programs" };
const JSON_LINES: CommandFlag = { name: "json", help: "As JSON, an object a line, for programs" };
const YES: CommandFlag = { name: "yes", short: "y", help: "Do not ask" };

export const COMMANDS: readonly Command[] = [
  command("serve", "Start the server (the default)"),
  command("run", "Ask a model, or talk with it", {
    usage: "MODEL [PROMPT...]",
    words: [1, Infinity],
    switches: [
      { name: "system", value: "TEXT", help: "What the model is told before the first question" },
      JSON_LINES,
    ],
  }),
  command("list", "List the models on this computer", { switches: [JSON_FLAG] }),
  command("ps", "List the models in memory", { switches: [JSON_FLAG] }),
  command("load", "Load a model into memory", {
    usage: "MODEL",
    words: [1, 1],
    switches: [JSON_FLAG],
  }),
  command("stop", "Unload a model, or end the server", {
    usage: "[MODEL]",
    words: [0, 1],
    switches: [
      { name: "all", help: "Unload all models" },
      { name: "force", help: "Do not wait for answers in progress" },
      { name: "server", help: "End the server, with all its models" },
      JSON_FLAG,
    ],
  }),
  command("pull", "Download a model; without a name, list the downloads", {
    usage: "[NAME | hf.co/ORG/REPO[:QUANTIZATION] | ORG/REPO FILE]",
    words: [0, 2],
    switches: [
      { name: "cancel", help: "Cancel this download and remove what came of it" },
      YES,
      JSON_LINES,
    ],
  }),
  command("search", "Search the Hub, with what suits this computer", {
    usage: "WORDS... | ORG/REPO",
    words: [1, Infinity],
    switches: [JSON_FLAG],
  }),
  command("import", "Use models that other programs keep; without a path, list them", {
    usage: "[PATH...]",
    words: [0, Infinity],
    switches: [{ name: "all", help: "All that can be used" }, JSON_FLAG],
  }),
  command("rm", "Remove a model and its files", {
    usage: "MODEL",
    words: [1, 1],
    switches: [YES, JSON_FLAG],
  }),
  command("show", "Show what is known of a model", {
    usage: "MODEL",
    words: [1, 1],
    switches: [JSON_FLAG],
  }),
  command("logs", "Print the log of the server, or of a model", {
    usage: "[MODEL]",
    words: [0, 1],
    switches: [{ name: "follow", short: "f", help: "Go on with what comes" }, JSON_LINES],
  }),
  command("keys", "List, make and revoke API keys", {
    usage: "[add NAME | revoke ID]",
    words: [0, 2],
    switches: [
      { name: "scope", value: "use|admin", help: "What a new key opens (default use)" },
      JSON_FLAG,
    ],
  }),
  command("config", "Print each setting with its value and source", { switches: [JSON_FLAG] }),
  command("doctor", "Find out what is wrong, and what helps", { switches: [JSON_FLAG] }),
  command("connect", "Print settings for other programs", {
    usage: "[TOOL]",
    words: [0, 1],
    switches: [
      { name: "model", value: "MODEL", help: "The model to name in them" },
      JSON_FLAG,
    ],
  }),
  command("app", "Open the dashboard in a window of its own", { switches: [JSON_FLAG] }),
  command("runtime", "List, install, choose and remove builds of llama.cpp", {
    usage: "[list | install [VARIANT] | cancel | use NAME | remove NAME]",
    words: [0, 2],
    switches: [
      { name: "latest", help: "Install the newest build, not the one that this program knows" },
      { name: "unverified", help: "Install it though only its own server vouches for it" },
      YES,
      JSON_LINES,
    ],
  }),
  command("scope", "Print what the server may do, and what it lacks", { switches: [JSON_FLAG] }),
  command("service", "Start the server when you log in, or no longer", {
    usage: "[install | remove | status]",
    words: [0, 1],
    switches: [JSON_FLAG],
  }),
  command("completions", "Print a script that completes commands and models", {
    usage: "bash|zsh|fish",
    words: [1, 1],
    switches: [JSON_FLAG],
  }),
  { ...command("version", "Print the version", { switches: [JSON_FLAG] }), needsSettings: false },
  {
    ...command("help", "Print this help, or that of a command", {
      usage: "[COMMAND]",
      words: [0, 1],
      switches: [JSON_FLAG],
    }),
    needsSettings: false,
  },
];

function command(
  name: string,
  help: string,
  { usage = "", words = [0, 0], switches = [] }: {
    usage?: string;
    words?: [least: number, most: number];
    switches?: readonly CommandFlag[];
  } = {},
): Command {
  const [leastWords, mostWords] = words;
  return { name, help, usage, leastWords, mostWords, switches, needsSettings: true };
}

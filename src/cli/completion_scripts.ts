// What each shell has to know to complete: made from the tables of commands and settings.

import { type Command, COMMANDS } from "../commands.ts";
import { TOOLS } from "../connect_tools.ts";
import { SETTINGS } from "../settings.ts";

interface Flag {
  name: string;
  short?: string;
  takesValue: boolean;
  help: string;
}

/** Commands whose first word is a model's name. */
const WITH_MODEL = COMMANDS.filter(({ usage }) => /^\[?MODEL\b/.test(usage)).map(({ name }) =>
  name
);

/** First words that are known beforehand. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  keys: ["add", "revoke"],
  runtime: ["list", "install", "cancel", "use", "remove"],
  completions: ["bash", "zsh", "fish"],
  connect: TOOLS.map(({ name }) => name),
  help: COMMANDS.map(({ name }) => name),
};

const COMMON: readonly Flag[] = [
  ...SETTINGS.flatMap(({ flag, kind, help }) =>
    flag === null ? [] : [{ name: flag, takesValue: kind.placeholder !== null, help }]
  ),
  { name: "help", short: "h", takesValue: false, help: "Print help" },
  { name: "version", short: "v", takesValue: false, help: "Print the version" },
];

export function bashScript(): string {
  const cases = COMMANDS.map((command) => {
    const flags = ownFlags(command).flatMap(({ name, short }) =>
      short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`]
    );
    return `    ${command.name}) flags="${flags.join(" ")}"; ${bashWords(command)} ;;`;
  });
  const values = valueFlags().map((name) => `--${name}`).join("|");
  // Names of models are data: `compgen -W` would run what stands in one as a command.
  return `# bash completion for zombiecoder: eval "$(zombiecoder completions bash)"
_zombiecoder() {
  local word="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="" flags="" words="" offered="" index line
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "\${COMP_WORDS[index]}" in
      ${values}) ((index++)) ;;
      -*) ;;
      *) command="\${COMP_WORDS[index]}"; break ;;
    esac
  done
  case "$previous" in
    ${values}) compopt -o default 2>/dev/null; return ;;
  esac
  case "$command" in
    "") words="${COMMANDS.map(({ name }) => name).join(" ")}" ;;
${cases.join("\n")}
  esac
  if [[ "$word" == -* ]]; then
    words="$flags ${COMMON.map(({ name }) => `--${name}`).join(" ")}"
  elif [[ "$command" == import ]]; then
    compopt -o default 2>/dev/null
  fi
  if [[ "$words" == models ]]; then
    offered="$(zombiecoder completions models 2>/dev/null)"
  else
    offered="\${words// /$'\\n'}"
  fi
  while IFS= read -r line; do
    if [[ -n "$line" && "$line" == "$word"* ]]; then
      COMPREPLY+=("$(printf '%q' "$line")")
    fi
  done <<< "$offered"
}
complete -F _zombiecoder zombiecoder
`;
}

function bashWords({ name }: Command): string {
  return `words="${WITH_MODEL.includes(name) ? "models" : (WORDS[name] ?? []).join(" ")}"`;
}

export function zshScript(): string {
  const commands = COMMANDS.map(({ name, help }) => `    ${zshWord(`${name}:${help}`)}`);
  const cases = COMMANDS.map((command) => {
    const flags = ownFlags(command).map((flag) => `        ${zshFlag(flag)} \\\n`).join("");
    return `      ${command.name})\n      _arguments -S $common \\\n${flags}        ${
      zshRest(command)
    } ;;`;
  });
  return `#compdef zombiecoder
# zsh completion for zombiecoder: eval "$(zombiecoder completions zsh)"
_zombiecoder_models() {
  local -a models
  models=("\${(@f)$(zombiecoder completions models 2>/dev/null)}")
  compadd -a models
}
_zombiecoder() {
  local -a commands common
  local state line curcontext="$curcontext"
  commands=(
${commands.join("\n")}
  )
  common=(
${COMMON.map((flag) => `    ${zshFlag(flag)}`).join("\n")}
  )
  _arguments -C $common '1: :->command' '*:: :->words'
  case "$state" in
    command) _describe -t commands 'command' commands ;;
    words)
      case "$line[1]" in
${cases.join("\n")}
      esac ;;
  esac
}
if [[ "\${funcstack[1]}" = _zombiecoder ]]; then
  _zombiecoder "$@"
else
  compdef _zombiecoder zombiecoder
fi
`;
}

function zshFlag({ name, short, takesValue, help }: Flag): string {
  const rest = `[${help.replace(/[[\]:\\]/g, "\\$&")}]${takesValue ? ":value:_files" : ""}`;
  const long = takesValue ? `--${name}=` : `--${name}`;
  if (short === undefined) return zshWord(long + rest);
  return `{-${short},--${name}}${zshWord(rest)}`;
}

function zshRest({ name, mostWords }: Command): string {
  if (WITH_MODEL.includes(name)) return "'1:model:_zombiecoder_models' '*: :'";
  const words = WORDS[name];
  if (words !== undefined) return zshWord(`1:word:(${words.join(" ")})`) + " '*: :'";
  return mostWords === 0 ? "" : name === "import" ? "'*:file:_files'" : "'*: :'";
}

function zshWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

export function fishScript(): string {
  const names = COMMANDS.map(({ name }) => name).join(" ");
  const lines = [
    "# fish completion for zombiecoder: zombiecoder completions fish | source",
    "function __zombiecoder_models; zombiecoder completions models 2>/dev/null; end",
    `set -l __zombiecoder_commands ${names}`,
    "complete -c zombiecoder -f",
    ...COMMANDS.map(({ name, help }) =>
      `complete -c zombiecoder -n "not __fish_seen_subcommand_from $__zombiecoder_commands" -a ${name} -d ${
        fishWord(help)
      }`
    ),
    ...COMMON.map((flag) => `complete -c zombiecoder ${fishFlag(flag)}`),
  ];
  for (const command of COMMANDS) {
    const given = `complete -c zombiecoder -n "__fish_seen_subcommand_from ${command.name}"`;
    for (const flag of ownFlags(command)) lines.push(`${given} ${fishFlag(flag)}`);
    if (WITH_MODEL.includes(command.name)) lines.push(`${given} -a "(__zombiecoder_models)"`);
    const words = WORDS[command.name];
    if (words !== undefined) lines.push(`${given} -a ${fishWord(words.join(" "))}`);
    if (command.name === "import") lines.push(`${given} -F`);
  }
  return `${lines.join("\n")}\n`;
}

function fishFlag({ name, short, takesValue, help }: Flag): string {
  const letter = short === undefined ? "" : ` -s ${short}`;
  return `-l ${name}${letter}${takesValue ? " -r -F" : ""} -d ${fishWord(help)}`;
}

function fishWord(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function ownFlags({ switches }: Command): Flag[] {
  return switches.map(({ name, short, value, help }) => ({
    name,
    ...(short !== undefined && { short }),
    takesValue: value !== undefined,
    help,
  }));
}

function valueFlags(): string[] {
  const own = COMMANDS.flatMap(ownFlags);
  return [
    ...new Set([...COMMON, ...own].filter(({ takesValue }) => takesValue).map(({ name }) => name)),
  ];
}

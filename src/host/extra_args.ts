// The llama-server arguments that a user may add to a model's launch, each with what it accepts.
// What is not listed here does not pass: no files, no network, no tools, nothing that the launch sets.

import { AppError, type ErrorValues } from "../errors.ts";

type Rule =
  | { kind: "switch" }
  | { kind: "number"; least: number; most: number; whole: boolean }
  | { kind: "word"; words: readonly string[] }
  | { kind: "text"; pattern: RegExp; accepts: string };

const SWITCH: Rule = { kind: "switch" };
const ON_OFF_AUTO: Rule = { kind: "word", words: ["on", "off", "auto"] };

function whole(least: number, most: number): Rule {
  return { kind: "number", least, most, whole: true };
}
function real(least: number, most: number): Rule {
  return { kind: "number", least, most, whole: false };
}
function word(...words: string[]): Rule {
  return { kind: "word", words };
}

/** Flag -> rule. Aliases of one flag share a line, so that naming it twice is noticed. */
const RULES: readonly (readonly [readonly string[], Rule])[] = [
  [["-tb", "--threads-batch"], whole(1, 1024)],
  [["-lv", "--verbosity", "--log-verbosity"], whole(0, 5)],
  [["--prio"], whole(-1, 2)],
  [["--poll"], whole(0, 100)],
  [["-n", "--predict", "--n-predict"], whole(-1, 2 ** 24)],
  [["--keep"], whole(-1, 2 ** 24)],
  [["--swa-full"], SWITCH],
  [["-fa", "--flash-attn"], ON_OFF_AUTO],
  [["--rope-scaling"], word("none", "linear", "yarn")],
  [["--rope-scale"], real(0, 1e6)],
  [["--rope-freq-base"], real(0, 1e12)],
  [["--rope-freq-scale"], real(0, 1e6)],
  [["--yarn-orig-ctx"], whole(0, 2 ** 24)],
  [["--yarn-ext-factor"], real(-1, 1e3)],
  [["--yarn-attn-factor"], real(-1, 1e3)],
  [["--yarn-beta-slow"], real(-1, 1e3)],
  [["--yarn-beta-fast"], real(-1, 1e3)],
  [["-kvo", "--kv-offload", "-nkvo", "--no-kv-offload"], SWITCH],
  [["--repack", "-nr", "--no-repack"], SWITCH],
  [["-lm", "--load-mode"], word("auto", "none", "mmap", "mlock", "mmap+mlock", "dio")],
  [["--mlock"], SWITCH],
  [["--no-mmap"], SWITCH],
  [["--numa"], word("distribute", "isolate", "numactl")],
  [["-cmoe", "--cpu-moe"], SWITCH],
  [["-ncmoe", "--n-cpu-moe"], whole(0, 10_000)],
  [["-ncffn", "--n-cpu-ffn"], whole(0, 10_000)],
  [["-sm", "--split-mode"], word("none", "layer", "row", "tensor")],
  [["-ts", "--tensor-split"], {
    kind: "text",
    pattern: /^[0-9.]+(,[0-9.]+)*$/,
    accepts: "numbers with commas between them",
  }],
  [["-mg", "--main-gpu"], whole(0, 64)],
  [["-dev", "--device"], {
    kind: "text",
    pattern: /^[A-Za-z]+[0-9]*(,[A-Za-z]+[0-9]*)*$/,
    accepts: "names of --list-devices with commas between them",
  }],
  [["--check-tensors"], SWITCH],
  [["--op-offload", "--no-op-offload"], SWITCH],
  [["-s", "--seed"], whole(-1, 2 ** 32 - 1)],
  [["--temp", "--temperature"], real(0, 100)],
  [["--top-k"], whole(0, 1e6)],
  [["--top-p"], real(0, 1)],
  [["--min-p"], real(0, 1)],
  [["--typical", "--typical-p"], real(0, 1)],
  [["--repeat-last-n"], whole(-1, 2 ** 24)],
  [["--repeat-penalty"], real(0, 10)],
  [["--presence-penalty"], real(-10, 10)],
  [["--frequency-penalty"], real(-10, 10)],
  [["--dry-multiplier"], real(0, 100)],
  [["--dry-base"], real(0, 100)],
  [["--dry-allowed-length"], whole(0, 2 ** 16)],
  [["--xtc-probability"], real(0, 1)],
  [["--xtc-threshold"], real(0, 1)],
  [["--mirostat"], whole(0, 2)],
  [["-ctxcp", "--ctx-checkpoints", "--swa-checkpoints"], whole(0, 1024)],
  [["-kvu", "--kv-unified", "-no-kvu", "--no-kv-unified"], SWITCH],
  [["--context-shift", "--no-context-shift"], SWITCH],
  [["-sp", "--special"], SWITCH],
  [["--warmup"], SWITCH],
  [["--spm-infill"], SWITCH],
  [["--pooling"], word("none", "mean", "cls", "last", "rank")],
  [["-cb", "--cont-batching", "-nocb", "--no-cont-batching"], SWITCH],
  [["--image-min-tokens"], whole(0, 2 ** 20)],
  [["--image-max-tokens"], whole(0, 2 ** 20)],
  [["--mmproj-offload", "--no-mmproj-offload"], SWITCH],
  [["--embd-normalize"], whole(-1, 16)],
  [["--cache-prompt", "--no-cache-prompt"], SWITCH],
  [["--cache-reuse"], whole(0, 2 ** 24)],
  [["--jinja", "--no-jinja"], SWITCH],
  [["--reasoning-format"], word("none", "deepseek", "deepseek-legacy", "auto")],
  [["-rea", "--reasoning"], ON_OFF_AUTO],
  [["--reasoning-budget"], whole(-1, 2 ** 24)],
  [["-sps", "--slot-prompt-similarity"], real(0, 1)],
  [["--spec-draft-n-max"], whole(0, 1024)],
  [["--spec-draft-n-min"], whole(0, 1024)],
  [["--spec-draft-p-min"], real(0, 1)],
];

const RULE_OF = new Map(
  RULES.flatMap(([flags, rule]) => flags.map((flag) => [flag, { name: flags[0]!, rule }] as const)),
);

export interface ExtraArgsContext {
  /** Flags that the build knows. */
  flags: ReadonlySet<string>;
  /** What the launch sets already: the last of two would win. */
  taken: readonly string[];
}

/** Answers the arguments as they are if every one is allowed and named once; throws `invalid_request`. */
export function checkExtraArgs(
  args: readonly string[],
  context: ExtraArgsContext,
): readonly string[] {
  const seen = new Set(context.taken.map((flag) => RULE_OF.get(flag)?.name ?? flag));
  for (let index = 0; index < args.length; index++) {
    const flag = args[index]!;
    const known = RULE_OF.get(flag);
    if (known === undefined) {
      throw refusal(flag, "it is not among the arguments that may be set", { reason: "unlisted" });
    }
    if (seen.has(known.name)) throw refusal(flag, "it is there twice", { reason: "twice" });
    seen.add(known.name);
    if (!context.flags.has(flag)) {
      throw refusal(flag, "this llama-server does not know it", { reason: "unknown" });
    }
    if (known.rule.kind === "switch") continue;
    const value = args[++index];
    if (value === undefined) {
      throw refusal(flag, "its value is missing", { reason: "value_missing" });
    }
    const accepted = whyNot(known.rule, value);
    if (accepted === null) continue;
    throw refusal(flag, `"${value}" is not ${accepted}`, { ...factsOf(known.rule), value });
  }
  return args;
}

function whyNot(rule: Exclude<Rule, { kind: "switch" }>, value: string): string | null {
  switch (rule.kind) {
    case "word":
      return rule.words.includes(value) ? null : `one of ${rule.words.join(", ")}`;
    case "text":
      return rule.pattern.test(value) && value.length <= 256 ? null : rule.accepts;
    case "number": {
      const kind = rule.whole ? "a whole number" : "a number";
      const fits = /^-?\d+(\.\d+)?$/.test(value) && Number(value) >= rule.least &&
        Number(value) <= rule.most && (!rule.whole || Number.isInteger(Number(value)));
      return fits ? null : `${kind} from ${rule.least} to ${rule.most}`;
    }
  }
}

/** What the value should have been, for the page's own words. */
function factsOf(rule: Exclude<Rule, { kind: "switch" }>): ErrorValues {
  switch (rule.kind) {
    case "word":
      return { reason: "not_a_word", words: rule.words.join(", ") };
    case "text":
      return { reason: "not_a_form" };
    case "number": {
      const { least, most } = rule;
      return { reason: rule.whole ? "not_a_whole_number" : "not_a_number", least, most };
    }
  }
}

function refusal(flag: string, why: string, facts: ErrorValues): AppError {
  return new AppError("invalid_request", `Cannot use the argument "${flag}": ${why}`, {
    param: "extra_args",
    values: { flag, ...facts },
  });
}

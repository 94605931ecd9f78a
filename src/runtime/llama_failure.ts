// Why a llama-server ended, told from its exit and its last lines (pure): its exit code is 1 for
// nearly everything. Fragments of builds up to 11669; the table is in the order of certainty.

import type { ErrorCode, ErrorValues } from "../errors.ts";
import { parseLlamaLine } from "./llama_log_line.ts";

export interface LlamaExit {
  code: number;
  /** `SIGKILL`; null when it ended by itself. */
  signal: string | null;
  /** It had been ready: it did not fail to load, it stopped. */
  wasReady?: boolean;
}

export type LlamaFailureReason =
  | "not_gguf"
  | "cut_off"
  | "old_gguf_version"
  | "projector"
  | "unknown_architecture"
  | "unknown_tensor_type"
  | "unknown_tokenizer"
  | "tensors_do_not_fit"
  | "file_missing"
  | "file_unreadable"
  | "address_in_use"
  | "bad_argument"
  | "runtime_unusable"
  | "cage_failed"
  | "cpu_too_old"
  | "out_of_memory"
  | "killed"
  | "crashed"
  | "exited";

export interface LlamaFailure {
  code: Extract<ErrorCode, "load_failed" | "out_of_memory" | "model_file_invalid">;
  reason: LlamaFailureReason;
  /** Names that the log gives, such as `architecture`. */
  values: ErrorValues;
  /** For people, by the model's name. */
  message(name: string): string;
}

interface Rule {
  reason: LlamaFailureReason;
  code: LlamaFailure["code"];
  pattern: RegExp;
  /** What the pattern's first group is called in `values`. */
  value?: string;
  /** What is wrong and what to do; the first group's text is passed in. */
  because(found: string): string;
}

const NEWER = "Install a newer runtime";
const AGAIN = "Download the model again";
const SMALLER = "Choose a smaller quantization or a smaller context, or close other programs";

const RULES: readonly Rule[] = [
  // Before all else: nothing of llama-server has run.
  {
    reason: "cage_failed",
    code: "load_failed",
    pattern: /^(?:bwrap|setpriv|sandbox-exec): (?!Can't find source path)(.{1,200})/,
    value: "system_error",
    because: (found) =>
      `the system did not make its cage (${found}). Look at zombiecoder doctor; --cage off loads without one`,
  },
  {
    reason: "cage_failed",
    code: "load_failed",
    pattern: /^sh: .{0,80}?: (cannot open .{1,120}|.{1,120}: No such file or directory)/,
    value: "system_error",
    because: (found) => `its cage has lost a file (${found}). Start the server again`,
  },
  {
    reason: "cage_failed",
    code: "load_failed",
    pattern: /^cage: (.{1,250})/,
    value: "system_error",
    because: (found) =>
      `its process was ended (${found}). Delete the model if it came from a stranger`,
  },
  {
    reason: "unknown_architecture",
    code: "load_failed",
    pattern: /unknown model architecture: '([^']{0,60})'/,
    value: "architecture",
    because: (found) => `this runtime does not know the architecture "${found}". ${NEWER}`,
  },
  {
    reason: "unknown_tensor_type",
    code: "load_failed",
    pattern: /has invalid ggml type (\d+)/,
    value: "tensor_type",
    because: (found) =>
      `this runtime does not know the number format ${found} of its file. ${NEWER}`,
  },
  {
    reason: "unknown_tokenizer",
    code: "load_failed",
    pattern: /unknown (?:pre-)?tokenizer(?: type)?: '([^']{0,60})'/,
    value: "tokenizer",
    because: (found) => `this runtime does not know the tokenizer "${found}". ${NEWER}`,
  },
  {
    reason: "projector",
    code: "model_file_invalid",
    pattern: /CLIP cannot be used as main model/,
    because: () => "its file is the projector of another model. Choose the model's own file",
  },
  {
    reason: "not_gguf",
    code: "model_file_invalid",
    pattern: /invalid magic characters/,
    because: () => `its file is not a GGUF file. ${AGAIN}`,
  },
  {
    reason: "old_gguf_version",
    code: "model_file_invalid",
    pattern: /GGUF.* no longer supported|GGUFv1/,
    because: () => "its file has an old version of GGUF. Choose a newer file of the same model",
  },
  {
    reason: "cut_off",
    code: "model_file_invalid",
    pattern:
      /not within the file bounds|corrupted or incomplete|unexpectedly reached end of file|gguf_init_from_\w+: failed to read/,
    because: () => `its file is cut off or damaged. ${AGAIN}`,
  },
  {
    reason: "file_missing",
    code: "load_failed",
    pattern:
      /failed to open GGUF file .*\(No such file or directory\)|^bwrap: Can't find source path/,
    because: () => "its file is gone. Download the model again, or delete it from the list",
  },
  {
    reason: "file_unreadable",
    code: "load_failed",
    pattern: /failed to open GGUF file .*\(((?:Permission|Operation|Input)[^)]{0,60})\)/,
    value: "system_error",
    because: (found) => `its file cannot be read (${found}). Check its permissions and the disk`,
  },
  {
    reason: "tensors_do_not_fit",
    code: "load_failed",
    pattern: /missing tensor '([^']{0,80})'|wrong number of tensors|has wrong shape/,
    value: "tensor",
    because: () => `its tensors are not those that this runtime expects. ${NEWER}, or another file`,
  },
  {
    reason: "address_in_use",
    code: "load_failed",
    pattern: /couldn't bind (?:HTTP )?server socket|Address already in use/,
    because: () => "its address is in use. Try again",
  },
  {
    reason: "bad_argument",
    code: "load_failed",
    pattern: /error: invalid argument: (\S{1,60})|error while handling argument "([^"]{1,60})"/,
    value: "argument",
    because: (found) =>
      `this runtime refuses the argument "${found}". Take it out of the model's settings, or install another runtime`,
  },
  {
    reason: "runtime_unusable",
    code: "load_failed",
    pattern:
      /error while loading shared libraries: (\S{1,80}?):|(GLIBC\w*_[\d.]+)' not found|Exec format error|Library not loaded: (\S{1,80})/,
    value: "missing",
    because: () => "this runtime cannot run on this computer. Install another one",
  },
];

/** Lines that speak of memory and are not why a load failed. */
const HARMLESS = /retrying without|mlock/;
const OUT_OF_MEMORY =
  /out of (?:device )?memory|cudaMalloc failed|hipMalloc failed|failed to allocate|allocation failed|not enough memory|insufficient memory|ErrorOutOfDeviceMemory|Device memory allocation of size \d+ failed|unable to allocate \S+ buffer|std::bad_alloc|Cannot allocate memory/i;

/** Windows: access violation; a library is missing. */
const ACCESS_VIOLATION = 0xC0000005;
const LIBRARY_MISSING = 0xC0000135;

/** Tells why the process ended, from its last lines and its exit. */
export function classifyFailure(lines: readonly string[], exit: LlamaExit): LlamaFailure {
  if (!exit.wasReady) {
    for (const rule of RULES) {
      for (const line of lines) {
        const found = rule.pattern.exec(line);
        if (found !== null) return byRule(rule, found);
      }
    }
  }
  if (lines.some((line) => OUT_OF_MEMORY.test(line) && !HARMLESS.test(line))) {
    return failure("out_of_memory", "out_of_memory", {
      exit,
      because: `there is not enough memory. ${SMALLER}`,
    });
  }
  return byExit(lines, exit);
}

function byRule(rule: Rule, found: RegExpExecArray): LlamaFailure {
  const text = found.slice(1).find((group) => group !== undefined) ?? "";
  return {
    code: rule.code,
    reason: rule.reason,
    values: rule.value === undefined || text === "" ? {} : { [rule.value]: text },
    message: (name) => `Cannot load "${name}": ${rule.because(text)}`,
  };
}

function byExit(lines: readonly string[], exit: LlamaExit): LlamaFailure {
  const { code } = exit;
  const signal = exit.signal ?? signalOf(code);
  if (signal === "SIGKILL") {
    // Nobody else sends it: the kernel does when memory runs out.
    return failure("out_of_memory", "killed", {
      exit,
      because: `the system ended its process, most likely because memory ran out. ${SMALLER}`,
    });
  }
  if (signal === "SIGILL") {
    return failure("load_failed", "cpu_too_old", {
      exit,
      because: "this runtime needs a newer CPU. Install another one",
    });
  }
  if (code === 126 || code === 127 || unsigned(code) === LIBRARY_MISSING) {
    return failure("load_failed", "runtime_unusable", {
      exit,
      because: "this runtime cannot run on this computer. Install another one",
    });
  }
  if (signal !== null || unsigned(code) === ACCESS_VIOLATION) {
    return failure("load_failed", "crashed", {
      exit,
      because: `its llama-server crashed${signal === null ? "" : ` (${signal})`}. ` +
        "Try again, or install another runtime",
    });
  }
  return failure("load_failed", "exited", {
    exit,
    because: `its llama-server ended with code ${code}${errorOf(lines, exit)}. ` +
      "Look at its log and try again",
  });
}

interface Because {
  exit: LlamaExit;
  because: string;
}

function failure(
  code: LlamaFailure["code"],
  reason: LlamaFailureReason,
  { exit, because }: Because,
): LlamaFailure {
  return {
    code,
    reason,
    values: { exit_code: exit.code, signal: exit.signal },
    message: (name) =>
      exit.wasReady ? `"${name}" stopped: ${because}` : `Cannot load "${name}": ${because}`,
  };
}

// The shell's way to say it, which the host may pass on.
function signalOf(code: number): string | null {
  const signals: Readonly<Record<number, string>> = {
    132: "SIGILL",
    134: "SIGABRT",
    135: "SIGBUS",
    136: "SIGFPE",
    137: "SIGKILL",
    139: "SIGSEGV",
    143: "SIGTERM",
  };
  return signals[code] ?? null;
}

function unsigned(code: number): number {
  return code >>> 0;
}

// While it loads, the first error is the cause and the later ones are what followed of it.
function errorOf(lines: readonly string[], exit: LlamaExit): string {
  const errors = lines.map(parseLlamaLine).filter((event) => event?.type === "error");
  const error = exit.wasReady ? errors.at(-1) : errors[0];
  return error === undefined ? "" : ` after "${error.message.slice(0, 120)}"`;
}

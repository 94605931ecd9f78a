// Which settings there are, in which groups, and how each kind of value is written in a field and read
// from it. What a value may be is the server's to say.

/** @typedef {"whole" | "decimal" | "size" | "duration" | "names" | "arguments" | "paths" | "line" | "text" | "choice" | "switch"} Kind */
/**
 * @typedef {object} SettingField
 * @property {string} name
 * @property {Kind} kind
 * @property {readonly string[]} [choices]
 */
/** @typedef {{ id: string, fields: readonly SettingField[] }} FieldGroup */

const CACHE_TYPES = ["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"];

/** @type {readonly FieldGroup[]} */
export const SERVER_GROUPS = [
  {
    id: "power",
    fields: [
      { name: "threads", kind: "whole" },
      { name: "memory_budget", kind: "size" },
      { name: "keep_alive", kind: "duration" },
      { name: "preload", kind: "names" },
    ],
  },
  {
    id: "limits",
    fields: [
      { name: "queue_limit", kind: "whole" },
      { name: "connection_limit", kind: "whole" },
      { name: "body_limit", kind: "size" },
      { name: "load_stall", kind: "duration" },
      { name: "download_limit", kind: "size" },
      { name: "download_stall", kind: "duration" },
    ],
  },
  {
    id: "running",
    fields: [
      { name: "open", kind: "switch" },
      { name: "log_level", kind: "choice", choices: ["debug", "info", "warn", "error"] },
      { name: "sweep", kind: "duration" },
    ],
  },
];

/** Decided by whoever starts the server: who may reach it. */
export const REACH = ["host", "port", "runtime_ports", "api_key", "allowed_hosts", "origins"];
/** And what runs, where. */
export const PLACES = [
  "home",
  "runtime_home",
  "models_dirs",
  "llama_server",
  "release_api",
  "cage",
  "hf_endpoint",
  "hf_token",
  "download_hosts",
  "proxy",
];

/** @type {readonly FieldGroup[]} */
export const MODEL_GROUPS = [
  {
    id: "memory",
    fields: [
      { name: "context", kind: "whole" },
      { name: "threads", kind: "whole" },
      { name: "gpu_layers", kind: "whole" },
      { name: "parallel", kind: "whole" },
      { name: "cache_type_k", kind: "choice", choices: CACHE_TYPES },
      { name: "cache_type_v", kind: "choice", choices: CACHE_TYPES },
    ],
  },
  {
    id: "staying",
    fields: [
      { name: "keep_alive", kind: "duration" },
      { name: "pinned", kind: "switch" },
      { name: "aliases", kind: "names" },
    ],
  },
  {
    id: "answers",
    fields: [
      { name: "system_prompt", kind: "text" },
      { name: "temperature", kind: "decimal" },
      { name: "top_p", kind: "decimal" },
      { name: "top_k", kind: "whole" },
      { name: "min_p", kind: "decimal" },
      { name: "repeat_penalty", kind: "decimal" },
      { name: "max_tokens", kind: "whole" },
      { name: "seed", kind: "whole" },
    ],
  },
  {
    id: "llama",
    fields: [
      { name: "extra_args", kind: "arguments" },
      { name: "chat_template", kind: "text" },
      { name: "lora", kind: "paths" },
      { name: "draft_model", kind: "line" },
    ],
  },
];

/** What the API keeps together as `sampling`. */
export const SAMPLING = new Set([
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "repeat_penalty",
  "max_tokens",
  "seed",
]);

/**
 * A value as it is written into its field; nothing chosen is "".
 *
 * @param {Kind} kind
 * @param {unknown} value
 * @returns {string}
 */
export function toText(kind, value) {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) {
    return value.join(kind === "names" ? ", " : kind === "paths" ? "\n" : " ");
  }
  return kind === "size" && typeof value === "number" ? sizeText(value) : String(value);
}

/**
 * What is sent for a field's text: null where it is empty. What cannot be read as the kind is sent as
 * it is, for the server to refuse.
 *
 * @param {Kind} kind
 * @param {string} text
 * @returns {unknown}
 */
export function fromText(kind, text) {
  const trimmed = kind === "text" ? text : text.trim();
  if (kind === "names") return parts(trimmed, /[,\n]/);
  if (kind === "paths") return parts(trimmed, /\n/);
  if (kind === "arguments") return parts(trimmed, /\s+/);
  if (trimmed.trim() === "") return null;
  const plain = latinDigits(trimmed);
  switch (kind) {
    case "whole":
    case "decimal":
      return /^[-+]?(\d+(\.\d*)?|\.\d+)$/.test(plain) ? Number(plain) : trimmed;
    case "size":
    case "duration":
      return plain;
    default:
      return trimmed;
  }
}

/**
 * Bengali digits as the others: whoever reads ৪ may write it.
 *
 * @param {string} text
 */
export function latinDigits(text) {
  return text.replace(/[০-৯]/g, (digit) => String(digit.charCodeAt(0) - 0x09e6));
}

/**
 * As in a terminal: a word that holds anything but plain characters in quotes.
 *
 * @param {string} word
 */
export function shellWord(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * One flag a line, ready for a terminal.
 *
 * @param {readonly string[]} command
 */
export function commandText(command) {
  /** @type {string[]} */
  const lines = [];
  for (const [index, word] of command.entries()) {
    const isFlag = /^--?[a-z]/i.test(word);
    if (index === 0 || isFlag) lines.push(shellWord(word));
    else lines[lines.length - 1] += ` ${shellWord(word)}`;
  }
  return lines.join(" \\\n  ");
}

/**
 * @param {string} text
 * @param {RegExp} between
 */
function parts(text, between) {
  return text.split(between).map((part) => part.trim()).filter((part) => part !== "");
}

/**
 * Exact, in the largest unit that divides it.
 *
 * @param {number} bytes
 */
function sizeText(bytes) {
  for (const power of [4, 3, 2]) {
    for (const [base, ending] of /** @type {const} */ ([[1024, "iB"], [1000, "B"]])) {
      const size = base ** power;
      if (bytes >= size && bytes % size === 0) return `${bytes / size} ${" KMGT"[power]}${ending}`;
    }
  }
  return String(bytes);
}

// GGUF bytes for tests: models that behave in a certain way, and headers of any content.

import { equal, match, ok } from "node:assert/strict";
import { AppError } from "../../src/errors.ts";
import { type GgufFacts, parseGguf } from "../../src/models/gguf.ts";
import type { ByteSource, GgufProblem } from "../../src/models/gguf_cursor.ts";
import {
  buildTestModel,
  HELLO_SENTENCE,
  type TestModelOptions,
} from "../../src/models/hello_model.ts";
import {
  ggufBytes,
  type GgufTensor,
  type GgufValue,
  layOutGguf,
} from "../../src/models/gguf_writer.ts";

/** Asks for `get_weather` with `{"city": "Dhaka"}` when the request offers that tool. */
export const TOOL_MODEL: TestModelOptions = {
  name: "tool",
  sentence: '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Dhaka"}}\n</tool_call>',
  // llama-server finds out how a model writes its calls by what the template makes of one.
  chatTemplate: `{%- if tools %}Tools:
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}Use one with <tool_call>{"name": NAME, "arguments": OBJECT}</tool_call>
{% endif %}
{%- for message in messages %}[{{ message.role }}]
{%- if message.content %}{{ message.content }}{% endif %}
{%- if message.tool_calls %}{% for call in message.tool_calls %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}{% endif %}[end]
{% endfor %}
{%- if add_generation_prompt %}[assistant]{% endif %}`,
};

/** Thinks "Two and two." and answers "It is four." */
export const THINKING_MODEL: TestModelOptions = {
  name: "thinking",
  sentence: "<think>\nTwo and two.\n</think>\n\nIt is four.",
  chatTemplate: `{%- for message in messages %}[{{ message.role }}]
{%- if message.role == 'assistant' and message.reasoning_content %}<think>
{{ message.reasoning_content }}
</think>

{% endif %}{{ message.content }}[end]
{% endfor %}
{%- if add_generation_prompt %}[assistant]
{%- if enable_thinking is defined and enable_thinking is false %}<think>

</think>

{% endif %}{% endif %}`,
};

/** Repeats its words until the context is full, some 4 seconds on one thread. */
export const ENDLESS_MODEL: TestModelOptions = {
  name: "endless",
  sentence: "one two three four ",
  endless: true,
};

/** Endless, and long enough that a quick computer does not come to its end, either. */
export const LASTING_MODEL: TestModelOptions = {
  ...ENDLESS_MODEL,
  contextLength: 100_000,
  heads: 16,
  layers: 4,
};

/** Wants `--embedding`. */
export const EMBEDDING_MODEL: TestModelOptions = {
  name: "embedding",
  sentence: "unused",
  chatTemplate: null,
  embedding: true,
};

/**
 * Endless, and slow on one thread: some 30 words a second after a prompt of 2,000 bytes, which
 * takes it about 5 seconds. Only 5 MB on disk.
 */
export const SLOW_MODEL: TestModelOptions = {
  ...ENDLESS_MODEL,
  name: "slow",
  heads: 64,
  layers: 4,
};

/** A tool in OpenAI's shape: the one that TOOL_MODEL calls. */
export const WEATHER_TOOL = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
    },
  },
} as const;

export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  };
}

/** A whole file of this metadata and these tensors; keys beginning with `.` get the architecture. */
export function ggufFile(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[] = [{ name: "token_embd.weight", dimensions: [32, 4] }],
): Uint8Array<ArrayBuffer> {
  const given = metadata["general.architecture"];
  const architecture = given && "string" in given ? given.string : "llama";
  const full: Record<string, GgufValue> = { "general.architecture": { string: architecture } };
  for (const [key, value] of Object.entries(metadata)) {
    full[key.startsWith(".") ? architecture + key : key] = value;
  }
  return ggufBytes(layOutGguf({ metadata: full, tensors }));
}

/** The bytes of the built-in test model. */
export function helloBytes(): Uint8Array<ArrayBuffer> {
  return buildTestModel({ sentence: HELLO_SENTENCE, name: "hello" });
}

/** The facts of a file in memory, however busy the computer is. */
export function parseBytes(bytes: Uint8Array): GgufFacts {
  return parseGguf(memorySource(bytes), { file: "x.gguf", withinMs: 60_000 });
}

/** For `throws` and `rejects`: a `model_file_invalid` of this reason, with words for people. */
export function ggufRefusal(reason: GgufProblem, words?: RegExp): (error: unknown) => boolean {
  return (error) => {
    ok(error instanceof AppError, String(error));
    equal(error.code, "model_file_invalid");
    equal(error.values.reason, reason, error.message);
    match(error.message, /^Cannot use ".+": .+[^.]$/);
    if (words) match(error.message, words);
    return true;
  };
}

/** Where a text stands in the bytes, to damage what follows it. */
export function indexOf(bytes: Uint8Array, text: string): number {
  const at = new TextDecoder("latin1").decode(bytes).indexOf(text);
  ok(at >= 0);
  return at;
}

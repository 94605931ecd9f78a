import assert from "node:assert/strict";
import {
  classifyFailure,
  type LlamaExit,
  type LlamaFailure,
  type LlamaFailureReason,
} from "../src/runtime/llama_failure.ts";
import { LlamaLog } from "../src/runtime/llama_log.ts";
import { fixtureLines } from "./support/llama_log_fixture.ts";

interface Row {
  fixture: string;
  code?: LlamaFailure["code"];
  reason: LlamaFailureReason;
  exitCode?: number;
  values?: Record<string, string>;
  says: RegExp;
}

// Each is a real run: see the fixture of that name.
const ROWS: Row[] = [
  {
    fixture: "truncated",
    code: "model_file_invalid",
    reason: "cut_off",
    says: /cut off or damaged\. Download/,
  },
  {
    fixture: "cut_header",
    code: "model_file_invalid",
    reason: "cut_off",
    says: /cut off or damaged/,
  },
  {
    fixture: "empty_file",
    code: "model_file_invalid",
    reason: "cut_off",
    says: /cut off or damaged/,
  },
  { fixture: "not_gguf", code: "model_file_invalid", reason: "not_gguf", says: /not a GGUF file/ },
  {
    fixture: "unknown_architecture",
    reason: "unknown_architecture",
    values: { architecture: "zebra9" },
    says: /does not know the architecture "zebra9"\. Install a newer runtime$/,
  },
  { fixture: "missing_file", reason: "file_missing", says: /its file is gone/ },
  {
    fixture: "unknown_flag",
    reason: "bad_argument",
    values: { argument: "--no-such-flag" },
    says: /refuses the argument "--no-such-flag"/,
  },
  {
    fixture: "bad_value",
    reason: "bad_argument",
    values: { argument: "-c" },
    says: /argument "-c"/,
  },
  { fixture: "address_in_use", reason: "address_in_use", says: /address is in use/ },
  {
    fixture: "kv_too_large",
    code: "out_of_memory",
    reason: "out_of_memory",
    says: /not enough memory/,
  },
  {
    fixture: "old_system",
    reason: "runtime_unusable",
    values: { missing: "GLIBC_2.43" },
    says: /cannot run on this computer/,
  },
  {
    fixture: "missing_library",
    reason: "runtime_unusable",
    exitCode: 127,
    values: { missing: "libllama-server-impl.so" },
    says: /cannot run on this computer/,
  },
];

for (const { fixture, code = "load_failed", reason, exitCode = 1, values, says } of ROWS) {
  Deno.test(`classifyFailure() of ${fixture}.txt is ${reason}`, async () => {
    const log = new LlamaLog();
    for (const line of await fixtureLines(fixture)) log.take(line);
    const failure = classifyFailure(log.lastLines, { code: exitCode, signal: null });
    assert.equal(failure.code, code);
    assert.equal(failure.reason, reason);
    if (values !== undefined) assert.deepEqual(failure.values, values);
    const message = failure.message("phi-3");
    assert.match(message, says);
    assert.match(message, /^Cannot load "phi-3": .*[^.]$/);
  });
}

// Lines of builds and devices that no test machine has, as their source writes them.
const LINES: [string, LlamaFailureReason][] = [
  [
    "tensor 'a' of type 40 (unknown) has invalid ggml type 99. should be in [0, 43)",
    "unknown_tensor_type",
  ],
  ["error loading model vocabulary: unknown pre-tokenizer type: 'new-one'", "unknown_tokenizer"],
  ["CLIP cannot be used as main model, use it with --mmproj instead", "projector"],
  [
    "gguf_init_from_file_impl: GGUFv1 is no longer supported. please use a more up-to-date version",
    "old_gguf_version",
  ],
  [
    "gguf_init_from_file: failed to open GGUF file '/models/a.gguf' (Permission denied)",
    "file_unreadable",
  ],
  [
    "llama_model_load: error loading model: missing tensor 'blk.0.attn_q.weight'",
    "tensors_do_not_fit",
  ],
  [
    "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9000.00 MiB on device 0: cudaMalloc failed: out of memory",
    "out_of_memory",
  ],
  ["ggml_vulkan: Device memory allocation of size 123 failed.", "out_of_memory"],
  ["ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory", "out_of_memory"],
  ["llama_model_load: error loading model: unable to allocate CUDA0 buffer", "out_of_memory"],
  ["terminate called after throwing an instance of 'std::bad_alloc'", "out_of_memory"],
];

for (const [line, reason] of LINES) {
  Deno.test(`classifyFailure() tells ${reason} from "${line.slice(0, 60)}"`, () => {
    assert.equal(classifyFailure([line], { code: 1, signal: null }).reason, reason);
  });
}

const EXITS: [Partial<LlamaExit>, LlamaFailure["code"], LlamaFailureReason][] = [
  [{ signal: "SIGKILL", code: 137 }, "out_of_memory", "killed"],
  [{ code: 137 }, "out_of_memory", "killed"],
  [{ code: 127 }, "load_failed", "runtime_unusable"],
  [{ code: 126 }, "load_failed", "runtime_unusable"],
  [{ code: 0xC0000135 }, "load_failed", "runtime_unusable"],
  [{ code: 0xC0000135 | 0 }, "load_failed", "runtime_unusable"],
  [{ signal: "SIGILL", code: 132 }, "load_failed", "cpu_too_old"],
  [{ signal: "SIGABRT", code: 134 }, "load_failed", "crashed"],
  [{ code: 139 }, "load_failed", "crashed"],
  [{ code: 0xC0000005 }, "load_failed", "crashed"],
  [{ code: 1 }, "load_failed", "exited"],
  [{ code: 0 }, "load_failed", "exited"],
];

for (const [exit, code, reason] of EXITS) {
  Deno.test(`classifyFailure() without a line to go by takes ${JSON.stringify(exit)} for ${reason}`, () => {
    const failure = classifyFailure([], { code: 1, signal: null, ...exit });
    assert.deepEqual([failure.code, failure.reason], [code, reason]);
  });
}

Deno.test("classifyFailure() names the first error where it knows nothing better", () => {
  const lines = [
    "0.00.1 E srv    load_model: the moon is not full",
    "0.00.2 E srv  llama_server: exiting due to model loading error",
  ];
  assert.match(
    classifyFailure(lines, { code: 1, signal: null }).message("phi-3"),
    /ended with code 1 after "the moon is not full"\. Look at its log and try again$/,
  );
});

Deno.test("classifyFailure() is not misled by memory that was only tried for", () => {
  const lines = [
    "0.00.1 W sched_reserve: failed to allocate compute buffers, retrying without pipeline parallelism",
    "0.00.1 W warning: failed to mlock 5 bytes: Cannot allocate memory",
    "0.00.2 E srv    load_model: something else",
  ];
  assert.equal(classifyFailure(lines, { code: 1, signal: null }).reason, "exited");
});

Deno.test("classifyFailure() says that a ready model stopped, not that it cannot load", () => {
  const failure = classifyFailure([], { code: 137, signal: "SIGKILL", wasReady: true });
  assert.match(failure.message("phi-3"), /^"phi-3" stopped: the system ended its process/);
  // A request can make such a line; it is not why a running process ends.
  const lines = ["error: invalid argument: --x"];
  const crashed = classifyFailure(lines, { code: 134, signal: null, wasReady: true });
  assert.equal(crashed.reason, "crashed");
});

// macOS `sysctl -n KEY`, one key at a time: a key that is missing would fail the whole call.

import type { CpuInfo, OsInfo } from "../../api_types.ts";
import { LLAMA_FEATURES } from "./linux_cpu.ts";
import type { RunCommand } from "./run_command.ts";
import { parseWhole } from "./system_files.ts";

const SYSCTL = "/usr/sbin/sysctl";
const TIMEOUT_MS = 1000;

/** Apple's keys and the words that Linux has for the same instructions. */
const ARM_FEATURES: readonly (readonly [string, string])[] = [
  ["hw.optional.AdvSIMD", "asimd"],
  ["hw.optional.arm.FEAT_DotProd", "asimddp"],
  ["hw.optional.arm.FEAT_FP16", "asimdhp"],
  ["hw.optional.arm.FEAT_BF16", "bf16"],
  ["hw.optional.arm.FEAT_I8MM", "i8mm"],
  ["hw.optional.arm.FEAT_SME", "sme"],
];

const KEYS = [
  "hw.memsize",
  "hw.physicalcpu",
  "hw.logicalcpu",
  "hw.optional.arm64",
  "machdep.cpu.brand_string",
  "machdep.cpu.features",
  "machdep.cpu.leaf7_features",
  "kern.osproductversion",
  "kern.osrelease",
  ...ARM_FEATURES.map(([key]) => key),
];

export type SysctlValues = ReadonlyMap<string, string>;

/** The keys that this machine has. */
export async function readSysctl(run: RunCommand): Promise<SysctlValues> {
  const answers = await Promise.all(KEYS.map(async (key) => {
    const result = await run(SYSCTL, ["-n", key], TIMEOUT_MS);
    return [key, result?.code === 0 ? result.stdout.trim() : ""] as const;
  }));
  return new Map(answers.filter(([, value]) => value !== ""));
}

export function macCpu(values: SysctlValues): Omit<CpuInfo, "usage"> {
  const intel = `${values.get("machdep.cpu.features") ?? ""} ` +
    (values.get("machdep.cpu.leaf7_features") ?? "");
  return {
    model: values.get("machdep.cpu.brand_string") ?? null,
    physical_cores: parseWhole(values.get("hw.physicalcpu")),
    logical_cores: parseWhole(values.get("hw.logicalcpu")),
    features: [
      // Intel Macs write `SSE4.2` and `AVX1.0` where Linux writes `sse4_2` and `avx`.
      ...intel.toLowerCase().replaceAll("avx1.0", "avx").replaceAll(".", "_").split(" ")
        .filter((feature) => LLAMA_FEATURES.has(feature)),
      ...ARM_FEATURES.filter(([key]) => values.get(key) === "1").map(([, feature]) => feature),
    ],
  };
}

export function macOs(values: SysctlValues): OsInfo {
  const version = values.get("kern.osproductversion");
  return {
    family: "darwin",
    name: version === undefined ? null : `macOS ${version}`,
    // A program built for Intel runs on Apple silicon too: the machine says what it is.
    arch: values.get("hw.optional.arm64") === "1" ? "aarch64" : Deno.build.arch,
    kernel: values.get("kern.osrelease") ?? null,
    container: null,
  };
}

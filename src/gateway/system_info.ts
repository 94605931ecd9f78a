// GET /admin/system and the `system` event: this machine, its memory, its llama.cpp. Unknown is null.

import type { CageInfo, CpuInfo, RuntimeInfo, SystemInfo } from "../api_types.ts";
import type { Hardware } from "../hardware/hardware.ts";
import type { Orchestrator } from "../orchestrator/orchestrator.ts";

export interface SystemParts {
  cage(): CageInfo;
  version: string;
  hardware: Pick<Hardware, "snapshot">;
  orchestrator: Pick<Orchestrator, "modelsBytes">;
  runtime(): RuntimeInfo;
}

const UNKNOWN_CPU: CpuInfo = {
  model: null,
  physical_cores: null,
  logical_cores: null,
  features: [],
  usage: null,
};

/** As the last reading says; it asks nobody. */
export function systemInfo(parts: SystemParts): SystemInfo {
  const { reading, totalBytes, availableBytes, budgetBytes } = parts.hardware.snapshot();
  return {
    cpu: reading?.cpu ?? UNKNOWN_CPU,
    memory: {
      total_bytes: totalBytes,
      available_bytes: availableBytes,
      models_bytes: parts.orchestrator.modelsBytes(),
      budget_bytes: budgetBytes,
    },
    gpus: reading?.gpus ?? [],
    disk: { free_bytes: reading?.disk_free_bytes ?? null },
    os: reading?.os ?? null,
    runtime: parts.runtime(),
    cage: parts.cage(),
    version: parts.version,
  };
}

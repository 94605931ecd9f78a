// Ties the orchestrator to what it decides over: models, settings, hardware, runtime, doors.

import type { RuntimeInfo } from "./api_types.ts";
import type { Config } from "./config_type.ts";
import { parseDuration } from "./duration.ts";
import { AppError } from "./errors.ts";
import type { Doors } from "./gateway/doors.ts";
import type { Hardware } from "./hardware/hardware.ts";
import type { Place } from "./host/messages.ts";
import type { Log } from "./log.ts";
import type { Library, Model } from "./models/library.ts";
import type { Registry } from "./models/registry.ts";
import type { Entry } from "./orchestrator/entry.ts";
import { entryKey } from "./orchestrator/entry_key.ts";
import { launchPlan } from "./orchestrator/launch_plan.ts";
import { planLoad } from "./orchestrator/load_plan.ts";
import { placementWith, settingsWith } from "./orchestrator/load_wishes.ts";
import { machineOf } from "./orchestrator/machine.ts";
import type { OrchestratorObserver } from "./orchestrator/observer.ts";
import { Orchestrator } from "./orchestrator/orchestrator.ts";

import type { HostPort } from "./runtime/host_port.ts";
import { Instance } from "./runtime/instance.ts";
import { Places } from "./runtime/places.ts";

export interface OrchestratorParts {
  config(): Config;
  runtime(): RuntimeInfo;
  places: readonly Place[];
  log: Log;
  host: HostPort;
  registry: Registry;
  library: Library;
  hardware: Hardware;
  doors: Doors;
  onChange(entry: Entry): void;
  observer: OrchestratorObserver;
}

export function createOrchestrator(parts: OrchestratorParts): Orchestrator {
  const { config, host, registry, hardware } = parts;
  const places = new Places(parts.places);
  const log = parts.log.for("orchestrator");
  const orchestrator: Orchestrator = new Orchestrator({
    log,
    queueLimit: () => config().queueLimit,
    makeInstance: (modelId, callbacks) =>
      new Instance({
        modelId,
        host,
        places,
        log: parts.log.for("instance"),
        loadStallMs: config().loadStallMs,
        ...callbacks,
      }),
    async plan(asked, { beside, wishes }) {
      const model = await parts.library.present(asked);
      // The answer to "does it fit" must be of this moment, and the runtime may just be installing.
      const [reading] = await Promise.all([
        host.call("reading", { disk: false }),
        host.call("runtime", { retry: true }),
      ]);
      hardware.update(reading);
      const machine = machineOf({
        ...orchestrator.heldBeside(entryKey(model.id, beside)),
        snapshot: hardware.snapshot(),
        runtime: parts.runtime(),
      });
      const plan = planLoad(machine, {
        facts: factsOf(model),
        mode: beside,
        settings: settingsWith(registry.settingsOf(model.id), wishes),
        mmprojBytes: beside === null ? model.mmprojBytes : 0,
      });
      return { ...plan, placement: placementWith(plan.placement, wishes) };
    },
    launch: (model, placement) =>
      launchPlan(model, { placement, settings: registry.settingsOf(model.id), config: config() }),
    openDoor: (modelId) => parts.doors.open(modelId),
    defaults(model) {
      const { keep_alive, pinned } = registry.settingsOf(model.id);
      const own = keep_alive === null ? null : parseDuration(keep_alive);
      return { keepAliveMs: own ?? config().keepAliveMs, pinned };
    },
    runningProcesses: () => host.call("processes", {}),
    async stopProcess(id) {
      await host.call("stop", { id, graceMs: 5_000 });
    },
    onChange: parts.onChange,
    observer: parts.observer,
  });
  return orchestrator;
}

function factsOf(model: Model) {
  if (model.facts !== null) return model.facts;
  throw model.error === null
    ? new AppError("model_file_invalid", `Cannot read the file of "${model.id}"`)
    : AppError.fromData(model.error);
}

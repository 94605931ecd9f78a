// Rows of /admin/runtimes, for /openapi.json.

import type {
  AvailableRuntime,
  InstalledRuntime,
  RuntimeDevice,
  RuntimeJob,
  RuntimeList,
} from "../api_types.ts";
import {
  COUNT,
  described,
  FLAG,
  listOf,
  named,
  NUMBER,
  orNull,
  shapeOf,
  TEXT,
  TIME,
  word,
} from "./shape.ts";

export const RUNTIME_DEVICE = shapeOf<RuntimeDevice>({
  name: TEXT,
  description: TEXT,
  total_bytes: COUNT,
  free_bytes: COUNT,
});

const TRUST = described(
  word("pinned", "signed", "unverified"),
  "Checked by a digest of this program, by a distribution's signature, or only against its own server",
);

const INSTALLED = shapeOf<InstalledRuntime>({
  name: described(TEXT, "By which it is used and removed"),
  source: word("flag", "bundled", "installed", "path"),
  build: orNull(COUNT),
  version: orNull(TEXT),
  verified: orNull(TRUST),
  devices: described(listOf(RUNTIME_DEVICE), "As it said when it was asked last"),
  size_bytes: orNull(COUNT),
  installed_at: orNull(TIME),
  active: described(FLAG, "The next load starts this one"),
  refusal: described(orNull(TEXT), "Why it cannot be used"),
  removable: FLAG,
});

const AVAILABLE = shapeOf<AvailableRuntime>({
  variant: described(TEXT, "`cpu`, `metal`, `vulkan`, `cuda-12`, `cuda-13`"),
  size_bytes: described(COUNT, "What is downloaded, roughly"),
  verified: TRUST,
  offered: FLAG,
  recommended: FLAG,
  code: word(
    ...["runs_anywhere", "gpu_fits", "no_gpu", "no_nvidia_gpu", "driver_unknown"],
    ...["driver_too_old", "gpu_too_old", "gpu_too_new"],
  ),
  values: described({ type: "object" }, "The facts behind the reason, for translation"),
  reason: described(TEXT, "One plain English sentence"),
  installed: described(orNull(TEXT), "Name of the installed build of this kind"),
});

const JOB = shapeOf<RuntimeJob>({
  variant: described(TEXT, "`llama.cpp` where one is installed unasked, since none is here"),
  state: word("installing", "done", "failed", "cancelled"),
  activity: orNull(TEXT),
  progress: described(orNull(NUMBER), "0 to 1"),
  name: described(orNull(TEXT), "Of the build, when it is done"),
  error: orNull(named("Error")),
});

export const RUNTIME_SHAPES = {
  InstalledRuntime: INSTALLED,
  AvailableRuntime: AVAILABLE,
  RuntimeJob: JOB,
  RuntimeList: shapeOf<RuntimeList>({
    installed: listOf(named("InstalledRuntime")),
    available: listOf(named("AvailableRuntime")),
    chosen: described(orNull(TEXT), "What was chosen by `use`; null = the usual order"),
    flag: described(orNull(TEXT), "--llama-server, over which nothing wins"),
    job: described(orNull(named("RuntimeJob")), "The installation that runs, or ran last"),
  }),
} as const;

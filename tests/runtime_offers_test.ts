// Which build is offered on which computer.

import { deepEqual, equal, match } from "node:assert/strict";
import type { GpuInfo } from "../src/api_types.ts";
import type { Release } from "../src/host/github_releases.ts";
import { PINNED_DIGESTS, PINNED_TAG } from "../src/host/install_github.ts";
import {
  type NvidiaDriver,
  parseNvidiaDriver,
  readNvidiaDriver,
} from "../src/host/probes/nvidia_driver.ts";
import { findAssets, isBuildOf, releaseBuilds } from "../src/host/release_builds.ts";
import { runtimeOffers } from "../src/host/runtime_offers.ts";
import { fileTree } from "./support/file_tree.ts";

type Vendor = GpuInfo["vendor"];

function driver(version: string, ...capabilities: number[]): NvidiaDriver {
  return {
    version,
    leastCapability: capabilities.length === 0 ? null : Math.min(...capabilities),
    mostCapability: capabilities.length === 0 ? null : Math.max(...capabilities),
  };
}

/** System, GPUs, driver; what is offered, the recommended one with `*`; and why the others are not. */
const TABLE: [string, Vendor[], NvidiaDriver | null, string, Record<string, string>?][] = [
  ["linux x86_64", [], null, "cpu*", {
    vulkan: "no_gpu",
    "cuda-12": "no_nvidia_gpu",
    "cuda-13": "no_nvidia_gpu",
  }],
  ["linux x86_64", ["amd"], null, "cpu vulkan*", { "cuda-13": "no_nvidia_gpu" }],
  ["linux x86_64", ["intel"], null, "cpu vulkan*"],
  ["linux x86_64", ["other"], null, "cpu* vulkan"],
  ["linux x86_64", [null], null, "cpu* vulkan"],
  ["linux x86_64", ["nvidia"], driver("580.65.06", 8.6), "cpu vulkan cuda-12 cuda-13*"],
  ["linux x86_64", ["nvidia"], driver("580.0", 7.5), "cpu vulkan cuda-12 cuda-13*"],
  ["linux x86_64", ["nvidia"], driver("579.99", 8.6), "cpu vulkan cuda-12*", {
    "cuda-13": "driver_too_old",
  }],
  ["linux x86_64", ["nvidia"], driver("590.10", 6.1), "cpu vulkan cuda-12*", {
    "cuda-13": "gpu_too_old",
  }],
  // All of them have to be able to.
  ["linux x86_64", ["nvidia", "nvidia"], driver("590.10", 8.6, 6.1), "cpu vulkan cuda-12*"],
  ["linux x86_64", ["nvidia"], driver("590.10"), "cpu vulkan cuda-12*", {
    "cuda-13": "driver_unknown",
  }],
  ["linux x86_64", ["nvidia"], driver("525.59", 8.6), "cpu vulkan*", {
    "cuda-12": "driver_too_old",
  }],
  ["linux x86_64", ["nvidia"], driver("525.60.13", 8.6), "cpu vulkan cuda-12*"],
  ["linux x86_64", ["nvidia"], null, "cpu vulkan*", {
    "cuda-12": "driver_unknown",
    "cuda-13": "driver_unknown",
  }],
  ["linux x86_64", ["intel", "nvidia"], driver("580.65.06", 12), "cpu vulkan cuda-12 cuda-13*"],
  ["linux aarch64", ["nvidia"], driver("580.65.06", 12.1), "cpu vulkan cuda-13*"],
  ["linux aarch64", [], null, "cpu*"],
  ["windows x86_64", ["nvidia"], driver("581.29", 12), "cpu vulkan cuda-13*", {
    "cuda-12": "gpu_too_new",
  }],
  ["windows x86_64", ["nvidia"], driver("528.33", 8.9), "cpu vulkan cuda-12*"],
  ["windows x86_64", ["nvidia"], driver("528.02", 8.9), "cpu vulkan*"],
  ["windows x86_64", ["nvidia"], driver("560.94", 12), "cpu vulkan*"],
  ["windows x86_64", ["amd"], null, "cpu vulkan*"],
  ["windows aarch64", ["other"], null, "cpu*"],
  ["darwin aarch64", ["apple"], null, "metal*"],
  ["darwin x86_64", ["amd"], null, "cpu*"],
  ["freebsd x86_64", ["nvidia"], null, ""],
];

const OPTIONS = { tag: PINNED_TAG, digests: PINNED_DIGESTS, installed: [], hasBuild: false };

for (const [system, vendors, nvidia, offered, refused = {}] of TABLE) {
  const shown = nvidia === null ? "" : `, driver ${nvidia.version}, ${nvidia.leastCapability}`;
  Deno.test(`runtimeOffers() on ${system} with ${vendors.join(" and ") || "no GPU"}${shown}`, () => {
    const [os, arch] = system.split(" ") as [string, string];
    const gpus = vendors.map((vendor) => ({ vendor }));
    const rows = runtimeOffers({ os, arch, gpus, nvidia }, OPTIONS);
    equal(
      rows.filter((row) => row.offered)
        .map((row) => row.variant + (row.recommended ? "*" : "")).join(" "),
      offered,
    );
    for (const [variant, code] of Object.entries(refused)) {
      equal(rows.find((row) => row.variant === variant)?.code, code, variant);
    }
    for (const { reason, offered } of rows) {
      match(reason, /^[A-Z].*[^.]$/);
      // Whoever asks for it all the same reads what to do.
      if (!offered) match(reason, /: .*\b(install|update|choose)\b/);
    }
  });
}

Deno.test("runtimeOffers() recommends the build for the CPU only where there is none", () => {
  const recommended = (gpus: { vendor: Vendor }[], hasBuild: boolean) =>
    runtimeOffers({ os: "linux", arch: "x86_64", gpus, nvidia: null }, { ...OPTIONS, hasBuild })
      .filter((row) => row.recommended).map(({ variant }) => variant);
  deepEqual(recommended([], false), ["cpu"]);
  deepEqual(recommended([], true), []);
  deepEqual(recommended([{ vendor: "amd" }], true), ["vulkan"]);
});

Deno.test("runtimeOffers() says which builds this program vouches for, and which are here", () => {
  const trustOn = (os: string, arch: string) =>
    Object.fromEntries(
      runtimeOffers({ os, arch, gpus: [], nvidia: null }, {
        ...OPTIONS,
        installed: ["llama-b11118-ubuntu-x64", "llama-b11118-ubuntu-cuda-12.8-x64", "b1"],
      }).map(({ variant, verified, installed }) => [variant, [verified, installed]]),
    );
  deepEqual(trustOn("linux", "x86_64"), {
    cpu: ["pinned", "llama-b11118-ubuntu-x64"],
    vulkan: ["pinned", null],
    "cuda-12": ["unverified", "llama-b11118-ubuntu-cuda-12.8-x64"],
    "cuda-13": ["unverified", null],
  });
  deepEqual(trustOn("windows", "x86_64"), {
    cpu: ["pinned", null],
    vulkan: ["pinned", null],
    "cuda-12": ["pinned", null],
    "cuda-13": ["unverified", null],
  });
});

Deno.test("findAssets() takes any version of a line, with its companion, and no other name", () => {
  const release = (tag: string, ...names: string[]): Release => ({
    tag,
    assets: names.map((name) => ({
      name,
      sizeBytes: 1,
      sha256: null,
      url: new URL("https://x.example"),
    })),
  });
  const build = (os: string, variant: string) =>
    releaseBuilds({ os, arch: "x86_64" }).find((each) => each.variant === variant)!;
  const linux = release(
    "b11158",
    "llama-b11158-bin-ubuntu-cuda-12.8-x64.tar.gz.sig",
    "llama-b11157-bin-ubuntu-cuda-12.8-x64.tar.gz",
    "llama-b11158-bin-ubuntu-cuda-12.800-x64.tar.gz",
    "llama-b11158-bin-ubuntu-cuda-12x8-x64.tar.gz",
    "llama-b11158-bin-ubuntu-cuda-13.4-x64.tar.gz",
    "llama-b11158-bin-ubuntu-cuda-12.9-x64.tar.gz",
    "cudart-llama-b11158-bin-ubuntu-cuda-12.9-x64.tar.gz",
  );
  const found = findAssets(linux, build("linux", "cuda-12"))!;
  equal(found.main.name, "llama-b11158-bin-ubuntu-cuda-12.9-x64.tar.gz");
  equal(found.companion?.name, "cudart-llama-b11158-bin-ubuntu-cuda-12.9-x64.tar.gz");
  equal(found.ending, "ubuntu-cuda-12.9-x64.tar.gz");
  // Its companion is not there yet.
  equal(findAssets(linux, build("linux", "cuda-13")), null);
  const windows = release(
    "b11158",
    "llama-b11158-bin-win-cuda-12.4-x64.zip",
    "cudart-llama-bin-win-cuda-12.4-x64.zip",
  );
  equal(
    findAssets(windows, build("windows", "cuda-12"))?.companion?.name,
    "cudart-llama-bin-win-cuda-12.4-x64.zip",
  );
  const wanted = build("linux", "cuda-12");
  equal(isBuildOf("llama-b1-ubuntu-cuda-12.8-x64", { tag: "b1", wanted }), true);
  equal(isBuildOf("llama-b1-ubuntu-cuda-13.8-x64", { tag: "b1", wanted }), false);
  equal(isBuildOf("llama-b11-ubuntu-cuda-12.8-x64", { tag: "b1", wanted }), false);
});

Deno.test("parseNvidiaDriver() takes what nvidia-smi says, and nothing else", () => {
  deepEqual(parseNvidiaDriver("580.65.06, 8.6\n"), driver("580.65.06", 8.6));
  deepEqual(parseNvidiaDriver("550.54, 8.6\n550.54, 6.1\n"), driver("550.54", 8.6, 6.1));
  deepEqual(parseNvidiaDriver("470.256.02, [N/A]\n"), driver("470.256.02"));
  deepEqual(parseNvidiaDriver("580.65.06, 8.6\r\n"), driver("580.65.06", 8.6));
  for (const text of ["", "NVIDIA-SMI has failed because it couldn't communicate\n", "a, b\n"]) {
    equal(parseNvidiaDriver(text), null, text);
  }
});

Deno.test("readNvidiaDriver() asks NVIDIA's own tool by its full path, and gives up on one that hangs", async () => {
  await using tree = await fileTree({ "usr/bin/nvidia-smi": "" });
  const asked: string[] = [];
  const run = (command: string) => {
    asked.push(command);
    return Promise.resolve({ code: 0, stdout: "580.65.06, 9.0\n" });
  };
  const options = { platform: "linux", root: tree.root };
  deepEqual(await readNvidiaDriver({ ...options, run }), driver("580.65.06", 9));
  deepEqual(asked, ["/usr/bin/nvidia-smi"]);
  equal(await readNvidiaDriver({ ...options, run: () => Promise.resolve(null) }), null);
  const failed = () => Promise.resolve({ code: 9, stdout: "580.65.06, 9.0" });
  equal(await readNvidiaDriver({ ...options, run: failed }), null);
  equal(await readNvidiaDriver({ ...options, platform: "windows", run }), null);
});

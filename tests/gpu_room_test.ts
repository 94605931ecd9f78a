import assert from "node:assert/strict";
import type { GpuInfo, RuntimeDevice } from "../src/api_types.ts";
import { type GpuRoom, gpuRoom, vramFree, withFreed } from "../src/orchestrator/gpu_room.ts";

const MIB = 1024 ** 2;

function device(name: string, description: string, totalMib = 8192): RuntimeDevice {
  return { name, description, total_bytes: totalMib * MIB, free_bytes: (totalMib - 200) * MIB };
}

function gpu(facts: Partial<GpuInfo>): GpuInfo {
  return {
    name: null,
    vendor: "nvidia",
    vram_total_bytes: null,
    vram_free_bytes: null,
    unified: null,
    ...facts,
  };
}

/** What is known of each device, in MiB. */
function seen(room: GpuRoom | null) {
  return room && {
    unified: room.unified,
    mapsFile: room.mapsFile,
    devices: room.devices.map(({ name, totalBytes, freeBytes }) =>
      `${name} ${totalBytes / MIB} ${freeBytes / MIB}`
    ),
  };
}

interface Row {
  name: string;
  devices: RuntimeDevice[];
  gpus: GpuInfo[];
  room: ReturnType<typeof seen>;
}

const RTX = "NVIDIA GeForce RTX 3060";
const CARD = gpu({
  name: RTX,
  vram_total_bytes: 12_288 * MIB,
  vram_free_bytes: 9000 * MIB,
  unified: false,
});
const OWN = { unified: false, mapsFile: false };
const SHARED = { unified: true, mapsFile: false };

const ROWS: Row[] = [
  { name: "is none where the runtime has no device", devices: [], gpus: [CARD], room: null },
  {
    name: "is none for maths libraries and other computers",
    devices: [device("BLAS", "Accelerate", 0), device("RPC0", "192.168.1.2:50052")],
    gpus: [],
    room: null,
  },
  {
    name: "takes what is free now from the system, and the smaller total",
    devices: [device("CUDA0", RTX, 12_100)],
    gpus: [CARD],
    room: { ...OWN, devices: [`${RTX} 12100 9000`] },
  },
  {
    name: "takes what was free at the start where the system does not say",
    devices: [device("CUDA0", RTX, 12_100)],
    gpus: [],
    room: { ...OWN, devices: [`${RTX} 12100 11900`] },
  },
  {
    name: "finds the card by its name in a longer one",
    devices: [device("Vulkan0", "AMD Radeon RX 6600 (RADV NAVI23)", 8176)],
    gpus: [
      gpu({ name: "AMD Radeon Graphics", vendor: "amd", unified: true }),
      gpu({ name: "AMD Radeon RX 6600", vendor: "amd", vram_free_bytes: 7e9, unified: false }),
    ],
    room: { ...OWN, devices: [`AMD Radeon RX 6600 8176 ${7e9 / MIB}`] },
  },
  {
    name: "counts a card once that is reached in two ways",
    devices: [device("CUDA0", RTX, 12_288), device("Vulkan0", RTX, 12_288)],
    gpus: [CARD],
    room: { ...OWN, devices: [`${RTX} 12288 9000`] },
  },
  {
    name: "counts two equal cards twice",
    devices: [device("CUDA0", RTX, 12_288), device("CUDA1", RTX, 12_288)],
    gpus: [CARD, { ...CARD, vram_free_bytes: 12_000 * MIB }],
    room: { ...OWN, devices: [`${RTX} 12288 9000`, `${RTX} 12288 12000`] },
  },
  {
    name: "leaves what shares the RAM alone where there is a card",
    devices: [device("Vulkan0", RTX, 12_288), device("Vulkan1", "Intel(R) UHD Graphics 770")],
    gpus: [CARD, gpu({ vendor: "intel", unified: true })],
    room: { ...OWN, devices: [`${RTX} 12288 9000`] },
  },
  {
    name: "of an integrated GPU is a limit within the RAM, all of it free",
    devices: [device("Vulkan0", "Intel(R) Iris(R) Xe Graphics (TGL GT2)", 7900)],
    gpus: [gpu({ vendor: "intel", unified: true })],
    room: { ...SHARED, devices: ["Intel(R) Iris(R) Xe Graphics (TGL GT2) 7900 7900"] },
  },
  {
    name: "takes a GPU for a part of the RAM where it is not known to be a card",
    devices: [device("Vulkan0", "Some new GPU")],
    gpus: [],
    room: { ...SHARED, devices: ["Some new GPU 8192 8192"] },
  },
  {
    name: "takes memory that is set apart for an AMD GPU for its own",
    devices: [device("ROCm0", "AMD Radeon RX 6800", 20_000)],
    gpus: [
      gpu({ name: "AMD Radeon RX 6800", vendor: "amd", vram_total_bytes: 16_368 * MIB }),
    ],
    room: { ...OWN, devices: ["AMD Radeon RX 6800 16368 16368"] },
  },
  {
    name: "believes the system that a CUDA device shares the RAM",
    devices: [device("CUDA0", "NVIDIA GB10", 122_570)],
    gpus: [gpu({ name: "NVIDIA GB10", unified: true })],
    room: { ...SHARED, devices: ["NVIDIA GB10 122570 122570"] },
  },
  {
    name: "of Apple's is the working set, and maps the file",
    devices: [device("BLAS", "Accelerate", 0), device("MTL0", "Apple M2", 11_453)],
    gpus: [gpu({ name: "Apple M2", vendor: "apple", unified: true })],
    room: { unified: true, mapsFile: true, devices: ["Apple M2 11453 11453"] },
  },
  {
    name: "knows no memory where the device tells none",
    devices: [device("CUDA0", RTX, 0)],
    gpus: [CARD],
    room: { ...OWN, devices: [] },
  },
];

for (const { name, devices, gpus, room } of ROWS) {
  Deno.test(`gpuRoom() ${name}`, () => {
    assert.deepEqual(seen(gpuRoom(devices, gpus)), room);
  });
}

Deno.test("withFreed() gives each card its share back, and never more than it has", () => {
  const room = gpuRoom(
    [device("CUDA0", "A", 8000), device("CUDA1", "B", 4000)],
    [
      gpu({ name: "A", vram_free_bytes: 1000 * MIB }),
      gpu({ name: "B", vram_free_bytes: 3000 * MIB }),
    ],
  );
  assert.deepEqual(seen(withFreed(room, 3000 * MIB))!.devices, ["A 8000 3000", "B 4000 4000"]);
  assert.deepEqual(seen(withFreed(room, Infinity))!.devices, ["A 8000 8000", "B 4000 4000"]);
  assert.equal(withFreed(null, 5), null);
});

Deno.test("vramFree() leaves a margin on each card, and is no limit where the RAM is shared", () => {
  const cards = gpuRoom([device("CUDA0", RTX, 8192), device("CUDA1", "B", 200)], []);
  assert.equal(vramFree(cards), (8192 - 200 - 256) * MIB);
  assert.equal(vramFree(gpuRoom([device("MTL0", "Apple M2")], [])), null);
  assert.equal(vramFree(gpuRoom([device("CUDA0", RTX, 0)], [])), null);
  assert.equal(vramFree(null), null);
});

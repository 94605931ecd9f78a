import assert from "node:assert/strict";
import type { GpuInfo } from "../src/api_types.ts";
import {
  cgroupLevels,
  Cgroups,
  parseCgroupPaths,
  parseCpuMax,
  parseInactiveFile,
} from "../src/host/probes/cgroup.ts";
import { sumCoreTimes } from "../src/host/probes/core_times.ts";
import { HostProbe } from "../src/host/probes/host_probe.ts";
import {
  cpuUsage,
  parseCpuinfo,
  parseCpuList,
  parseCpuTimes,
  readLinuxCpu,
} from "../src/host/probes/linux_cpu.ts";
import {
  findAmdName,
  isAmdUnified,
  parseNvidiaInformation,
  readDrm,
} from "../src/host/probes/linux_gpus.ts";
import { parseOsRelease, readLinuxOs } from "../src/host/probes/linux_os.ts";
import { parseMeminfo } from "../src/host/probes/meminfo.ts";
import { parseNvidiaSmi } from "../src/host/probes/nvidia_smi.ts";
import type { CommandResult, RunCommand } from "../src/host/probes/run_command.ts";
import { parseWhole, SystemFiles } from "../src/host/probes/system_files.ts";
import { parseSystemProfiler } from "../src/host/probes/system_profiler.ts";
import { parseVmStat } from "../src/host/probes/vm_stat.ts";
import { INVENTORY_SCRIPT, parseWindowsInventory } from "../src/host/probes/windows_inventory.ts";
import { fileTree } from "./support/file_tree.ts";

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

function fixture(name: string): string {
  return Deno.readTextFileSync(new URL(`fixtures/probes/${name}`, import.meta.url));
}

function ok(stdout: string): CommandResult {
  return { code: 0, stdout };
}

/** No tool is there. */
function noTools(): Promise<null> {
  return Promise.resolve(null);
}

Deno.test("parseWhole() takes whole numbers and nothing else", () => {
  for (const text of ["", "max", "-1", "1.5", "0x10", "1 2", "[N/A]", null, undefined]) {
    assert.equal(parseWhole(text), null, String(text));
  }
  assert.equal(parseWhole(" 12\n"), 12);
});

Deno.test("parseMeminfo() reads KiB as bytes and MemAvailable, not MemFree", () => {
  assert.deepEqual(parseMeminfo(fixture("linux_meminfo.txt")), {
    totalBytes: 24_684_084 * 1024,
    availableBytes: 23_921_252 * 1024,
  });
  assert.deepEqual(parseMeminfo("MemTotal:  100 kB\nMemFree:  50 kB\n"), {
    totalBytes: 102_400,
    availableBytes: null,
  });
  assert.deepEqual(parseMeminfo(""), { totalBytes: null, availableBytes: null });
});

Deno.test("parseCgroupPaths() reads both versions and their mixture", () => {
  assert.deepEqual(parseCgroupPaths("0::/user.slice/a.scope\n"), {
    unified: "/user.slice/a.scope",
    memory: null,
    cpu: null,
  });
  assert.deepEqual(
    parseCgroupPaths(
      "9:name=systemd:/\n4:memory:/box/a:b\n1:cpu,cpuacct:/box\n2:cpuset:/x\n0::/\n",
    ),
    { unified: "/", memory: "/box/a:b", cpu: "/box" },
  );
  assert.deepEqual(parseCgroupPaths(""), { unified: null, memory: null, cpu: null });
});

Deno.test("cgroupLevels() names every parent and never leaves the tree", () => {
  assert.deepEqual(cgroupLevels("/a/b"), ["/a/b", "/a", ""]);
  assert.deepEqual(cgroupLevels("/"), [""]);
  assert.deepEqual(cgroupLevels("/../../etc"), [""]);
});

Deno.test("parseCpuMax() gives cores", () => {
  assert.equal(parseCpuMax("150000 100000\n"), 1.5);
  assert.equal(parseCpuMax("max 100000\n"), null);
  assert.equal(parseCpuMax("-1 100000"), null);
  assert.equal(parseCpuMax("null null"), null);
  assert.equal(parseCpuMax("100000 0"), null);
});

Deno.test("parseInactiveFile() counts the children where v1 tells them", () => {
  assert.equal(parseInactiveFile("anon 5\ninactive_file 7\n"), 7);
  assert.equal(parseInactiveFile("inactive_file 7\ntotal_inactive_file 9\n"), 9);
  assert.equal(parseInactiveFile(""), 0);
});

const V2 = "/sys/fs/cgroup";

Deno.test("Cgroups takes the tightest limit of every level of v2", async () => {
  await using tree = await fileTree({
    "/proc/self/cgroup": "0::/a/b\n",
    [`${V2}/cgroup.controllers`]: "cpu memory\n",
    [`${V2}/a/memory.max`]: `${4 * GIB}\n`,
    [`${V2}/a/memory.high`]: `${3 * GIB}\n`,
    [`${V2}/a/memory.current`]: `${GIB}\n`,
    [`${V2}/a/memory.stat`]: `anon 1\ninactive_file ${GIB / 2}\n`,
    [`${V2}/a/cpu.max`]: "50000 100000\n",
    [`${V2}/a/b/memory.max`]: "max\n",
    [`${V2}/a/b/memory.high`]: "max\n",
    [`${V2}/a/b/memory.current`]: `${GIB}\n`,
    [`${V2}/a/b/cpu.max`]: "400000 100000\n",
  });
  const cgroups = new Cgroups(new SystemFiles(tree.root));
  assert.deepEqual(cgroups.memory(), { limitBytes: 3 * GIB, availableBytes: 2.5 * GIB });
  assert.equal(cgroups.cpuQuotaCores(), 0.5);

  // Each number on its own: the child has the smaller limit, its parent less left.
  tree.write(`${V2}/a/b/memory.max`, `${2 * GIB}\n`);
  tree.write(`${V2}/a/b/memory.current`, "0\n");
  tree.write(`${V2}/a/memory.current`, `${5 * GIB}\n`);
  assert.deepEqual(cgroups.memory(), { limitBytes: 2 * GIB, availableBytes: 0 });
});

Deno.test("Cgroups reads a container's v1, whose path is the one outside", async () => {
  await using tree = await fileTree({
    "/proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n",
    [`${V2}/memory/memory.limit_in_bytes`]: `${2 * GIB}\n`,
    [`${V2}/memory/memory.usage_in_bytes`]: `${GIB}\n`,
    [`${V2}/memory/memory.stat`]: `inactive_file 1\ntotal_inactive_file ${GIB / 4}\n`,
    [`${V2}/cpu,cpuacct/cpu.cfs_quota_us`]: "200000\n",
    [`${V2}/cpu,cpuacct/cpu.cfs_period_us`]: "100000\n",
  });
  const cgroups = new Cgroups(new SystemFiles(tree.root));
  assert.deepEqual(cgroups.memory(), { limitBytes: 2 * GIB, availableBytes: 1.25 * GIB });
  assert.equal(cgroups.cpuQuotaCores(), 2);
});

Deno.test("Cgroups knows no limit where there is none", async () => {
  await using tree = await fileTree({
    "/proc/self/cgroup": "4:memory:/\n3:cpu:/\n0::/\n",
    [`${V2}/memory/memory.limit_in_bytes`]: "9223372036854771712\n",
    [`${V2}/memory/memory.usage_in_bytes`]: `${GIB}\n`,
    [`${V2}/cpu/cpu.cfs_quota_us`]: "-1\n",
    [`${V2}/cpu/cpu.cfs_period_us`]: "100000\n",
  });
  await using empty = await fileTree();
  for (const { root } of [tree, empty]) {
    const cgroups = new Cgroups(new SystemFiles(root));
    assert.equal(cgroups.memory(), null);
    assert.equal(cgroups.cpuQuotaCores(), null);
  }
});

Deno.test("parseCpuList() reads ranges and refuses the rest", () => {
  assert.deepEqual(parseCpuList("0-3,8,10-11\n"), [0, 1, 2, 3, 8, 10, 11]);
  assert.deepEqual(parseCpuList("0"), [0]);
  for (const text of ["", "a", "1-", "-1", "0-99999999", "1,,2"]) {
    assert.equal(parseCpuList(text), null, text);
  }
});

Deno.test("parseCpuinfo() reads x86", () => {
  const cpu = parseCpuinfo(fixture("linux_cpuinfo_x86.txt"));
  assert.equal(cpu.model, "AMD EPYC");
  assert.equal(cpu.logicalCores, 2);
  assert.equal(cpu.physicalCores, 2);
  for (const feature of ["avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx512_bf16"]) {
    assert.ok(cpu.features.includes(feature), feature);
  }
  assert.ok(!cpu.features.includes("fpu"));
});

Deno.test("parseCpuinfo() reads ARM, which has features and no name", () => {
  assert.deepEqual(parseCpuinfo(fixture("linux_cpuinfo_arm.txt")), {
    model: null,
    features: ["asimd", "asimdhp", "asimddp", "sve", "i8mm", "bf16"],
    logicalCores: 2,
    physicalCores: null,
  });
});

Deno.test("parseCpuTimes() and cpuUsage() give the busy share between two readings", () => {
  assert.deepEqual(parseCpuTimes(fixture("linux_proc_stat.txt")), {
    busy: 17_529 + 8_537 + 457 + 352,
    total: 17_529 + 8_537 + 345_478 + 541 + 457 + 352,
  });
  assert.equal(parseCpuTimes("intr 1 2"), null);
  assert.equal(cpuUsage({ busy: 10, total: 100 }, { busy: 40, total: 140 }), 0.75);
  assert.equal(cpuUsage({ busy: 10, total: 100 }, { busy: 10, total: 100 }), null);
  assert.equal(cpuUsage({ busy: 10, total: 100 }, { busy: 9, total: 110 }), 0);
  assert.equal(cpuUsage({ busy: 10, total: 100 }, { busy: 30, total: 110 }), 1);
});

Deno.test("sumCoreTimes() takes zeros for unknown", () => {
  const core = (user: number, idle: number) => ({
    times: { user, nice: 1, sys: 2, idle, irq: 3 },
  });
  assert.deepEqual(sumCoreTimes([core(4, 10), core(0, 20)]), { busy: 16, total: 46 });
  const none = { times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } };
  assert.equal(sumCoreTimes([none, none]), null);
  assert.equal(sumCoreTimes([]), null);
});

const CPU = "/sys/devices/system/cpu";

Deno.test("readLinuxCpu() counts the cores that this process may run on", async () => {
  await using tree = await fileTree({
    "/proc/cpuinfo": fixture("linux_cpuinfo_x86.txt"),
    "/proc/self/status": "Name:\tx\nCpus_allowed_list:\t0-3,6-7\n",
    [`${CPU}/online`]: "0-6\n",
  });
  for (let cpu = 0; cpu < 8; cpu++) {
    // Two threads on each core, as `0,4`.
    tree.write(`${CPU}/cpu${cpu}/topology/thread_siblings_list`, `${cpu % 4},${cpu % 4 + 4}\n`);
  }
  const files = new SystemFiles(tree.root);
  // 0-3 and 6 are online and allowed; 2 and 6 are one core.
  assert.equal(readLinuxCpu(files).logical_cores, 5);
  assert.equal(readLinuxCpu(files).physical_cores, 4);

  await using bare = await fileTree({ "/proc/cpuinfo": fixture("linux_cpuinfo_x86.txt") });
  assert.equal(readLinuxCpu(new SystemFiles(bare.root)).logical_cores, 2);
  assert.equal(readLinuxCpu(new SystemFiles(bare.root)).physical_cores, 2);

  await using empty = await fileTree();
  assert.deepEqual(readLinuxCpu(new SystemFiles(empty.root)), {
    model: null,
    features: [],
    logical_cores: null,
    physical_cores: null,
  });
});

Deno.test("parseOsRelease() reads quoted and plain values", () => {
  const debian = parseOsRelease(fixture("linux_os_release.txt"));
  assert.equal(debian.get("PRETTY_NAME"), "Debian GNU/Linux 12 (bookworm)");
  assert.equal(debian.get("ID"), "debian");
  const odd = parseOsRelease('# c\nNAME=\'A B\'\nX="a \\"b\\" \\$c"\nlower=1\nBROKEN\n');
  assert.deepEqual([...odd], [["NAME", "A B"], ["X", 'a "b" $c']]);
});

Deno.test("readLinuxOs() says container only where something says so", async () => {
  const signs: [Record<string, string>, boolean | null][] = [
    [{}, null],
    [{ "/proc/1/comm": "systemd\n" }, false],
    [{ "/proc/1/comm": "bash\n" }, null],
    [{ "/.dockerenv": "" }, true],
    [{ "/run/.containerenv": "", "/proc/1/comm": "systemd\n" }, true],
    [{ "/proc/1/cgroup": "0::/kubepods/besteffort/pod1\n" }, true],
    [{ "/proc/1/cgroup": "0::/init.scope\n", "/proc/1/comm": "init\n" }, false],
  ];
  for (const [files, expected] of signs) {
    await using tree = await fileTree(files);
    const os = readLinuxOs(new SystemFiles(tree.root));
    assert.equal(os.container, expected, JSON.stringify(files));
    assert.equal(os.name, null);
    assert.equal(os.kernel, null);
  }
});

Deno.test("parseNvidiaSmi() splits from the right and takes no word for a size", () => {
  assert.deepEqual(parseNvidiaSmi(fixture("nvidia_smi.txt")), [
    {
      name: "NVIDIA GeForce RTX 4090",
      vendor: "nvidia",
      vram_total_bytes: 24_564 * MIB,
      vram_free_bytes: 23_011 * MIB,
      unified: false,
    },
    {
      name: "NVIDIA RTX A2000, Laptop",
      vendor: "nvidia",
      vram_total_bytes: 4096 * MIB,
      vram_free_bytes: 3968 * MIB,
      unified: false,
    },
    {
      name: "NVIDIA GB10",
      vendor: "nvidia",
      vram_total_bytes: null,
      vram_free_bytes: null,
      unified: true,
    },
    {
      name: "NVIDIA A100-SXM4-80GB MIG 1g.10gb",
      vendor: "nvidia",
      vram_total_bytes: null,
      vram_free_bytes: null,
      unified: null,
    },
  ]);
  assert.deepEqual(parseNvidiaSmi("No devices were found\n"), []);
  assert.deepEqual(parseNvidiaSmi(""), []);
});

Deno.test("parseNvidiaInformation() and findAmdName() find names", () => {
  assert.equal(
    parseNvidiaInformation("Model: \t\t NVIDIA GeForce RTX 3060\nIRQ:   \t\t 16\n"),
    "NVIDIA GeForce RTX 3060",
  );
  assert.equal(parseNvidiaInformation("Model: \t\t\nIRQ: 1\n"), null);
  const table =
    "# names\n1.0.0\n15BF,\tC4,\tAMD Radeon 780M Graphics\n744C,\tC8,\tAMD Radeon RX 7900 XTX\n";
  assert.equal(
    findAmdName(table, { device: "0x744c", revision: "0xc8" }),
    "AMD Radeon RX 7900 XTX",
  );
  assert.equal(findAmdName(table, { device: "0x744c", revision: "0x01" }), null);
  assert.equal(findAmdName("", { device: "", revision: "" }), null);
});

Deno.test("isAmdUnified() says nothing where nothing is clear", () => {
  const table: [boolean, number | null, number | null, boolean | null][] = [
    [true, 24 * GIB, 16 * GIB, false],
    [true, 2 * GIB, 16 * GIB, false],
    [false, GIB / 2, 15 * GIB, true],
    [false, 4 * GIB, 15 * GIB, true],
    [false, 96 * GIB, 16 * GIB, null],
    [false, 24 * GIB, 32 * GIB, null],
    [false, null, 32 * GIB, null],
    [false, GIB, null, null],
  ];
  for (const [boardInfo, vramBytes, gttBytes, expected] of table) {
    assert.equal(isAmdUnified({ boardInfo, vramBytes, gttBytes }), expected);
  }
});

const DRM = "/sys/class/drm";

Deno.test("readDrm() lists each GPU once, with sizes where the driver tells them", async () => {
  await using tree = await fileTree({
    // A card, its display sockets and its second node.
    [`${DRM}/card1/device/vendor`]: "0x1002\n",
    [`${DRM}/card1/device/device`]: "0x744c\n",
    [`${DRM}/card1/device/revision`]: "0xc8\n",
    [`${DRM}/card1/device/uevent`]: "DRIVER=amdgpu\nPCI_SLOT_NAME=0000:03:00.0\n",
    [`${DRM}/card1/device/board_info`]: "type : oem\n",
    [`${DRM}/card1/device/mem_info_vram_total`]: `${24 * GIB}\n`,
    [`${DRM}/card1/device/mem_info_vram_used`]: `${GIB}\n`,
    [`${DRM}/card1/device/mem_info_gtt_total`]: `${16 * GIB}\n`,
    [`${DRM}/card1/device/mem_info_gtt_used`]: "0\n",
    [`${DRM}/card1-HDMI-A-1/device/vendor`]: "0x1002\n",
    [`${DRM}/renderD128/device/vendor`]: "0x1002\n",
    [`${DRM}/renderD128/device/uevent`]: "PCI_SLOT_NAME=0000:03:00.0\n",
    "/usr/share/libdrm/amdgpu.ids": "744C,\tC8,\tAMD Radeon RX 7900 XTX\n",
    // Graphics of the CPU, whose memory is RAM.
    [`${DRM}/card2/device/vendor`]: "0x1002\n",
    [`${DRM}/card2/device/uevent`]: "PCI_SLOT_NAME=0000:c4:00.0\n",
    [`${DRM}/card2/device/mem_info_vram_total`]: `${GIB / 2}\n`,
    [`${DRM}/card2/device/mem_info_vram_used`]: `${GIB / 4}\n`,
    [`${DRM}/card2/device/mem_info_gtt_total`]: `${15 * GIB}\n`,
    [`${DRM}/card2/device/mem_info_gtt_used`]: `${GIB}\n`,
    [`${DRM}/card3/device/vendor`]: "0x8086\n",
    [`${DRM}/card3/device/uevent`]: "PCI_SLOT_NAME=0000:00:02.0\n",
    // An Intel card without a display.
    [`${DRM}/renderD131/device/vendor`]: "0x8086\n",
    [`${DRM}/renderD131/device/uevent`]: "PCI_SLOT_NAME=0000:4d:00.0\n",
    // A virtual display, and a card without a file to read.
    [`${DRM}/card0/device/vendor`]: "0x1234\n",
    [`${DRM}/card9/dev`]: "226:9\n",
    [`${DRM}/version`]: "drm 1.1.0\n",
  });
  const row = (vendor: GpuInfo["vendor"], part: Partial<GpuInfo>): GpuInfo => ({
    name: null,
    vendor,
    vram_total_bytes: null,
    vram_free_bytes: null,
    unified: null,
    ...part,
  });
  assert.deepEqual(readDrm(new SystemFiles(tree.root)), [
    row("amd", {
      name: "AMD Radeon RX 7900 XTX",
      vram_total_bytes: 24 * GIB,
      vram_free_bytes: 23 * GIB,
      unified: false,
    }),
    row("amd", {
      vram_total_bytes: 15.5 * GIB,
      vram_free_bytes: 14.25 * GIB,
      unified: true,
    }),
    row("intel", { unified: true }),
    row("intel", { unified: false }),
  ]);
});

Deno.test("parseVmStat() counts the pages that can be had without swapping", () => {
  assert.equal(
    parseVmStat(fixture("mac_vm_stat.txt")),
    (23_210 + 389_514 + 11_090 + 7_203) * 16_384,
  );
  assert.equal(parseVmStat("Pages free:  5.\n"), null);
  assert.equal(parseVmStat("(page size of 4096 bytes)\n"), null);
});

Deno.test("parseSystemProfiler() gives shared memory no size", () => {
  assert.deepEqual(parseSystemProfiler(fixture("mac_system_profiler_apple.json")), [{
    name: "Apple M3 Max",
    vendor: "apple",
    vram_total_bytes: null,
    vram_free_bytes: null,
    unified: true,
  }]);
  assert.deepEqual(parseSystemProfiler(fixture("mac_system_profiler_intel.json")), [
    {
      name: "Intel UHD Graphics 630",
      vendor: "intel",
      vram_total_bytes: null,
      vram_free_bytes: null,
      unified: true,
    },
    {
      name: "AMD Radeon Pro 5500M",
      vendor: "amd",
      vram_total_bytes: 8 * GIB,
      vram_free_bytes: null,
      unified: false,
    },
  ]);
  for (const text of ["", "null", "[]", "{}", '{"SPDisplaysDataType":{}}']) {
    assert.deepEqual(parseSystemProfiler(text), [], text);
  }
});

Deno.test("parseWindowsInventory() reads sizes above 4 GiB, as numbers and as bytes", () => {
  const inventory = parseWindowsInventory(`\uFEFF${fixture("windows_inventory.json")}`);
  assert.ok(inventory);
  assert.deepEqual(inventory.cpu, {
    model: "13th Gen Intel(R) Core(TM) i7-13700K",
    physical_cores: 16,
    logical_cores: 24,
    features: [],
  });
  assert.deepEqual(inventory.memory, {
    total_bytes: 33_456_748 * 1024,
    available_bytes: 18_234_112 * 1024,
  });
  assert.equal(inventory.os.name, "Microsoft Windows 11 Pro");
  assert.equal(inventory.os.arch, "x86_64");
  assert.deepEqual(
    inventory.gpus.map((gpu) => [gpu.name, gpu.vendor, gpu.vram_total_bytes, gpu.unified]),
    [
      ["Intel(R) UHD Graphics 770", "intel", 128 * MIB, true],
      ["NVIDIA GeForce RTX 3070", "nvidia", 8 * GIB, false],
      ["AMD Radeon RX 7900 XTX", "amd", 24 * GIB, false],
    ],
  );
});

Deno.test("parseWindowsInventory() knows nothing of what is missing", () => {
  for (const text of ["", "null", "5", "Access denied"]) {
    assert.equal(parseWindowsInventory(text), null, text);
  }
  const inventory = parseWindowsInventory('{"os":null,"cpus":null,"gpus":[],"adapters":null}');
  assert.ok(inventory);
  assert.deepEqual(inventory.memory, { total_bytes: null, available_bytes: null });
  assert.deepEqual(inventory.gpus, []);
  assert.equal(inventory.cpu.physical_cores, null);
  // One processor comes without its array; two sockets are added up.
  const one = '{"cpus":{"Name":"X","NumberOfCores":4,"NumberOfLogicalProcessors":8}}';
  assert.equal(parseWindowsInventory(one)?.cpu.physical_cores, 4);
  const two = '{"cpus":[{"NumberOfCores":4},{"NumberOfCores":4}]}';
  assert.equal(parseWindowsInventory(two)?.cpu.physical_cores, 8);
  assert.ok(!INVENTORY_SCRIPT.includes('"'), "double quotes do not survive -Command");
});

/** A small machine with one NVIDIA GPU, whose tool answers when the test lets it. */
async function machine() {
  const tree = await fileTree({
    "/proc/meminfo": "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable:  4194304 kB\n",
    "/proc/stat": "cpu  10 0 0 90 0 0 0 0 0 0\n",
    "/proc/cpuinfo": fixture("linux_cpuinfo_x86.txt"),
    "/proc/self/cgroup": "0::/\n",
    "/etc/os-release": fixture("linux_os_release.txt"),
    [`${V2}/cgroup.controllers`]: "memory\n",
    [`${V2}/memory.max`]: `${2 * GIB}\n`,
    [`${V2}/memory.current`]: `${GIB}\n`,
    [`${V2}/memory.stat`]: "inactive_file 0\n",
    [`${V2}/cpu.max`]: "150000 100000\n",
    "/usr/bin/nvidia-smi": "",
    [`${DRM}/card0/device/vendor`]: "0x10de\n",
  });
  const calls: PromiseWithResolvers<CommandResult | null>[] = [];
  const run: RunCommand = (command, args, timeoutMs) => {
    assert.equal(command, "/usr/bin/nvidia-smi");
    assert.deepEqual(args, [
      "--query-gpu=name,memory.total,memory.free",
      "--format=csv,noheader,nounits",
    ]);
    assert.equal(timeoutMs, 3000);
    const call = Promise.withResolvers<CommandResult | null>();
    calls.push(call);
    return call.promise;
  };
  return { tree, calls, run, [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose]() };
}

Deno.test("read() does not wait for the GPU's tool and has its answer later", async () => {
  await using small = await machine();
  let nowMs = 0;
  const { root } = small.tree;
  await using probe = new HostProbe({
    platform: "linux",
    root,
    run: small.run,
    now: () => nowMs,
  });
  const first = await probe.read();
  assert.equal(small.calls.length, 1);
  assert.deepEqual(first.gpus, [], "not known yet");
  assert.deepEqual(first.memory, { total_bytes: 2 * GIB, available_bytes: GIB });
  assert.equal(first.cpu.model, "AMD EPYC");
  assert.equal(first.cpu.usage, null);
  assert.equal(first.cpu_quota_cores, 1.5);
  assert.equal(first.os.name, "Debian GNU/Linux 12 (bookworm)");

  small.calls[0]?.resolve(ok("GPU A, 1000, 900\n"));
  await small.calls[0]?.promise;
  small.tree.write("/proc/stat", "cpu  40 0 0 100 0 0 0 0 0 0\n");
  nowMs = 9_999;
  const second = await probe.read();
  assert.equal(small.calls.length, 1, "10 seconds are not over");
  assert.equal(second.gpus[0]?.vram_free_bytes, 900 * MIB);
  assert.equal(second.gpus.length, 1, "the same GPU is in /sys too");
  assert.equal(second.cpu.usage, 0.75);

  nowMs = 10_100;
  const third = await probe.read();
  assert.equal(small.calls.length, 2);
  assert.equal(third.gpus[0]?.vram_free_bytes, 900 * MIB, "the last known, while it is asked");
  assert.equal(third.cpu.usage, 0.75, "too soon after the second to say anything new");
  await probe.read();
  assert.equal(small.calls.length, 2, "one at a time");
  small.calls[1]?.resolve(ok("GPU A, 1000, 100\n"));
  await small.calls[1]?.promise;
  assert.equal((await probe.read()).gpus[0]?.vram_free_bytes, 100 * MIB);
});

Deno.test("read({ fresh }) asks the GPU's tool after the question, not before", async () => {
  await using small = await machine();
  await using probe = new HostProbe({
    platform: "linux",
    root: small.tree.root,
    run: small.run,
    now: () => 0,
  });
  await probe.read();
  const fresh = [probe.read({ fresh: true }), probe.read({ fresh: true })];
  small.calls[0]?.resolve(ok("GPU A, 1000, 1\n"));
  // Both questions came after that call began: one new call answers them.
  while (small.calls.length < 2) await Promise.resolve();
  small.calls[1]?.resolve(ok("GPU A, 1000, 2\n"));
  for (const reading of await Promise.all(fresh)) {
    assert.equal(reading.gpus[0]?.vram_free_bytes, 2 * MIB);
  }
  assert.equal(small.calls.length, 2);
});

Deno.test("read() leaves a tool that hung alone for minutes and still names the GPU", async () => {
  await using small = await machine();
  small.tree.write(
    "/proc/driver/nvidia/gpus/0000:01:00.0/information",
    "Model: \t\t NVIDIA GeForce RTX 3060\n",
  );
  let nowMs = 0;
  await using probe = new HostProbe({
    platform: "linux",
    root: small.tree.root,
    run: small.run,
    now: () => nowMs,
  });
  await probe.read();
  small.calls[0]?.resolve(null);
  await small.calls[0]?.promise;
  nowMs = 60_000;
  assert.deepEqual((await probe.read()).gpus, [{
    name: "NVIDIA GeForce RTX 3060",
    vendor: "nvidia",
    vram_total_bytes: null,
    vram_free_bytes: null,
    unified: null,
  }]);
  assert.equal(small.calls.length, 1);
  nowMs = 300_001;
  await probe.read();
  assert.equal(small.calls.length, 2);
  small.calls[1]?.resolve({ code: 9, stdout: "NVIDIA-SMI has failed\n" });
});

Deno.test("read() hands out copies", async () => {
  await using small = await machine();
  small.tree.write("/proc/driver/nvidia/gpus/0/information", "Model: X\n");
  await using probe = new HostProbe({
    platform: "linux",
    root: small.tree.root,
    run: () => Promise.resolve(ok("GPU A, 1000, 900\n")),
  });
  const first = await probe.read({ fresh: true });
  const [gpu] = first.gpus;
  assert.ok(gpu);
  gpu.name = "changed";
  first.cpu.features.push("changed");
  first.os.name = "changed";
  const second = await probe.read();
  assert.equal(second.gpus[0]?.name, "GPU A");
  assert.ok(!second.cpu.features.includes("changed"));
  assert.notEqual(second.os.name, "changed");
});

Deno.test("read() knows nothing, and says so, where nothing can be read", async () => {
  await using tree = await fileTree();
  await using probe = new HostProbe({ platform: "linux", root: tree.root, run: noTools });
  assert.deepEqual(await probe.read({ fresh: true }), {
    cpu: { model: null, physical_cores: null, logical_cores: null, features: [], usage: null },
    memory: { total_bytes: null, available_bytes: null },
    gpus: [],
    os: { family: "linux", name: null, arch: Deno.build.arch, kernel: null, container: null },
    cpu_quota_cores: null,
    disk_free_bytes: null,
  });
});

Deno.test("read() on macOS asks sysctl key by key and survives keys that are missing", async () => {
  const values: Record<string, string> = {
    "hw.memsize": "38654705664",
    "hw.physicalcpu": "14",
    "hw.logicalcpu": "14",
    "hw.optional.arm64": "1",
    "machdep.cpu.brand_string": "Apple M3 Max",
    "kern.osproductversion": "15.6",
    "kern.osrelease": "24.6.0",
    "hw.optional.AdvSIMD": "1",
    "hw.optional.arm.FEAT_DotProd": "1",
    "hw.optional.arm.FEAT_I8MM": "1",
    "hw.optional.arm.FEAT_SME": "0",
  };
  const run: RunCommand = (command, args) => {
    if (command === "/usr/bin/vm_stat") return Promise.resolve(ok(fixture("mac_vm_stat.txt")));
    if (command === "/usr/sbin/system_profiler") {
      return Promise.resolve(ok(fixture("mac_system_profiler_apple.json")));
    }
    assert.equal(command, "/usr/sbin/sysctl");
    const [flag, key, ...more] = args;
    assert.equal(flag, "-n");
    assert.deepEqual(more, []);
    const value = values[key ?? ""];
    return Promise.resolve(value === undefined ? { code: 1, stdout: "" } : ok(`${value}\n`));
  };
  await using probe = new HostProbe({ platform: "darwin", run });
  const reading = await probe.read({ fresh: true });
  assert.equal(reading.cpu.model, "Apple M3 Max");
  assert.equal(reading.cpu.physical_cores, 14);
  assert.deepEqual(reading.cpu.features, ["asimd", "asimddp", "i8mm"]);
  assert.deepEqual(reading.memory, {
    total_bytes: 36 * GIB,
    available_bytes: 431_017 * 16_384,
  });
  assert.equal(reading.os.name, "macOS 15.6");
  assert.equal(reading.os.arch, "aarch64");
  assert.equal(reading.gpus[0]?.unified, true);
});

Deno.test("read() on an Intel Mac translates Apple's names of instructions", async () => {
  const run: RunCommand = (_command, args) =>
    Promise.resolve(
      args[1] === "machdep.cpu.features"
        ? ok("FPU SSE3 SSE4.2 AVX1.0 FMA F16C\n")
        : args[1] === "machdep.cpu.leaf7_features"
        ? ok("BMI2 AVX2\n")
        : null,
    );
  await using probe = new HostProbe({ platform: "darwin", run });
  const reading = await probe.read({ fresh: true });
  assert.deepEqual(reading.cpu.features, ["sse4_2", "avx", "fma", "f16c", "bmi2", "avx2"]);
  assert.deepEqual(reading.memory, { total_bytes: null, available_bytes: null });
  assert.deepEqual(reading.gpus, []);
});

Deno.test("read() on Windows asks PowerShell once and NVIDIA's tool for what is free", async () => {
  await using tree = await fileTree({ "C:\\Windows\\System32\\nvidia-smi.exe": "" });
  let inventories = 0;
  const run: RunCommand = (command, args) => {
    if (command.endsWith("nvidia-smi.exe")) {
      return Promise.resolve(ok("NVIDIA GeForce RTX 3070, 8192, 7000\n"));
    }
    assert.match(command, /^C:\\Windows\\System32\\.*powershell\.exe$/);
    assert.deepEqual(args.slice(0, 4), ["-NoLogo", "-NoProfile", "-NonInteractive", "-Command"]);
    inventories++;
    return Promise.resolve(ok(fixture("windows_inventory.json")));
  };
  await using probe = new HostProbe({ platform: "windows", root: `${tree.root}/`, run });
  await probe.read();
  const reading = await probe.read({ fresh: true });
  assert.equal(inventories, 1);
  assert.equal(reading.cpu.physical_cores, 16);
  assert.deepEqual(reading.gpus.map((gpu) => [gpu.name, gpu.vram_free_bytes]), [
    ["NVIDIA GeForce RTX 3070", 7000 * MIB],
    ["Intel(R) UHD Graphics 770", null],
    ["AMD Radeon RX 7900 XTX", null],
  ]);
});

Deno.test("read() of this machine holds what must hold of every machine", async () => {
  await using probe = new HostProbe();
  const first = await probe.read({ fresh: true });
  const second = await probe.read();
  for (const { cpu, memory, gpus, os, cpu_quota_cores } of [first, second]) {
    assert.ok(memory.total_bytes !== null && memory.total_bytes > 64 * MIB);
    assert.ok(memory.available_bytes !== null && memory.available_bytes >= 0);
    assert.ok(memory.available_bytes <= memory.total_bytes);
    assert.ok(memory.total_bytes <= Deno.systemMemoryInfo().total);
    assert.ok(cpu.physical_cores !== null && cpu.logical_cores !== null);
    assert.ok(cpu.physical_cores >= 1 && cpu.physical_cores <= cpu.logical_cores);
    assert.ok(cpu.usage === null || (cpu.usage >= 0 && cpu.usage <= 1));
    assert.ok(cpu_quota_cores === null || cpu_quota_cores > 0);
    assert.equal(os.family, Deno.build.os);
    assert.ok(os.kernel !== null && os.kernel !== "");
    for (const gpu of gpus) {
      assert.ok((gpu.vram_free_bytes ?? 0) <= (gpu.vram_total_bytes ?? Infinity));
    }
  }
  assert.equal(first.memory.total_bytes, second.memory.total_bytes);
});

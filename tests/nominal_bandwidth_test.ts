import assert from "node:assert/strict";
import { nominalBandwidth, slowestNominalBandwidth } from "../src/hardware/nominal_bandwidth.ts";

Deno.test("nominalBandwidth() knows cards by the names that drivers and runtimes give them", () => {
  const table: [name: string, gigabytes: number | null][] = [
    ["NVIDIA GeForce RTX 3060", 240],
    ["NVIDIA GeForce RTX 3060 12GB", 360],
    ["NVIDIA GeForce RTX 3060 Ti", 448],
    ["NVIDIA GeForce RTX 3060 Laptop GPU", 336],
    ["NVIDIA GeForce RTX 4060 Ti", 288],
    ["NVIDIA GeForce RTX 4070 Ti SUPER", 672],
    ["NVIDIA GeForce RTX 4090", 1008],
    ["NVIDIA GeForce RTX 4090 Laptop GPU", 576],
    ["NVIDIA GeForce RTX 4090 D", 1008],
    ["NVIDIA GeForce GTX 1650 with Max-Q Design", null],
    ["NVIDIA GeForce GTX 1660 SUPER", 336],
    ["Tesla T4", 320],
    ["NVIDIA L4", 300],
    ["NVIDIA A10G", 600],
    ["NVIDIA A100-SXM4-80GB", 1935],
    ["NVIDIA A100-PCIE-40GB", 1555],
    ["NVIDIA H100 PCIe", 2000],
    ["NVIDIA H100 80GB HBM3", 3350],
    ["NVIDIA H200", 4800],
    ["NVIDIA GB10", 273],
    ["NVIDIA RTX A4000", 448],
    ["NVIDIA RTX 6000 Ada Generation", 960],
    ["Quadro K2000", null],
    ["AMD Radeon RX 7900 XTX (RADV NAVI31)", 960],
    ["AMD Radeon RX 6600", 224],
    ["AMD Radeon RX 6600 XT", 256],
    ["AMD Radeon RX 7900M", null],
    ["AMD Radeon(TM) Graphics", null],
    ["AMD Radeon 8060S Graphics", 256],
    ["AMD Instinct MI210", 1638],
    ["Intel(R) Arc(TM) A770 Graphics (DG2)", 512],
    ["Intel(R) Arc(tm) Pro B60 Graphics", 456],
    ["Intel(R) UHD Graphics 770", null],
    ["Apple M1", 68],
    ["Apple M3 Max", 300],
    ["Apple M4 Pro", 273],
    ["Apple M9", null],
    ["constructor", null],
    ["", null],
  ];
  for (const [name, gigabytes] of table) {
    assert.equal(nominalBandwidth(name), gigabytes === null ? null : gigabytes * 1e9, name);
  }
});

Deno.test("slowestNominalBandwidth() goes by the slowest, and knows nothing where one is unknown", () => {
  const fast = "NVIDIA GeForce RTX 4090";
  const slow = "NVIDIA GeForce RTX 3060 12GB";
  assert.equal(slowestNominalBandwidth([fast, slow]), 360e9);
  assert.equal(slowestNominalBandwidth([fast, "Quadro K2000"]), null);
  assert.equal(slowestNominalBandwidth([]), null);
});

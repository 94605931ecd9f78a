// The parts of a build that need no compiler: icon, SBOM, what kind a program is.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32, inflateSync } from "node:zlib";
import { bundleProgram } from "../build/bundle_program.ts";
import { icon } from "../build/icon.ts";
import { programKind } from "../build/program_kind.ts";
import { type Component, sbom } from "../build/sbom.ts";
import { BuildFailure } from "../build/step.ts";
import { targetNamed, TARGETS } from "../build/targets.ts";
import { tempDir } from "./support/temp_dir.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Rows of a PNG as `icon()` writes them, after its checks. */
function pixelsOf(png: Uint8Array<ArrayBuffer>, size: number): Uint8Array {
  const view = new DataView(png.buffer, png.byteOffset, png.length);
  assert.equal(view.getBigUint64(0), 0x8950_4e47_0d0a_1a0an);
  const chunks = new Map<string, Uint8Array>();
  for (let at = 8; at < png.length;) {
    const length = view.getUint32(at);
    const named = png.subarray(at + 4, at + 8 + length);
    assert.equal(view.getUint32(at + 8 + length), crc32(named));
    chunks.set(new TextDecoder().decode(named.subarray(0, 4)), named.subarray(4));
    at += 12 + length;
  }
  assert.deepEqual([...chunks.keys()], ["IHDR", "IDAT", "IEND"]);
  const header = new DataView(chunks.get("IHDR")!.slice().buffer);
  assert.deepEqual([header.getUint32(0), header.getUint32(4)], [size, size]);
  const rows = inflateSync(chunks.get("IDAT")!);
  assert.equal(rows.length, size * (4 * size + 1));
  return rows;
}

Deno.test("icon() is an .ico with the program's sign in every size that Windows shows", () => {
  const bytes = icon();
  const view = new DataView(bytes.buffer);
  assert.deepEqual([0, 2, 4].map((at) => view.getUint16(at, true)), [0, 1, 6]);
  const sizes = [];
  let end = 6 + 16 * 6;
  for (let at = 6; at < 6 + 16 * 6; at += 16) {
    const size = view.getUint8(at) || 256;
    sizes.push(size);
    const [length, offset] = [view.getUint32(at + 8, true), view.getUint32(at + 12, true)];
    assert.equal(offset, end);
    end += length;
    const rows = pixelsOf(bytes.subarray(offset, offset + length), size);
    const pixel = (x: number, y: number) => {
      const start = Math.floor(y * size) * (4 * size + 1) + 1 + 4 * Math.floor(x * size);
      return [...rows.subarray(start, start + 4)];
    };
    // Nothing in the corner, the ground at an edge, the sign's upper line.
    assert.ok(pixel(0, 0)[3]! < 128, `${size}`);
    assert.deepEqual(pixel(0.5, 0.05), [0x1c, 0x6b, 0x45, 255]);
    assert.ok(pixel(0.5, 0.3)[0]! > 0x80, `${size}: ${pixel(0.5, 0.3)}`);
  }
  assert.deepEqual(sizes, [16, 24, 32, 48, 64, 256]);
  assert.equal(end, bytes.length);
});

Deno.test("sbom() lists the packages that are imported, and no other, as deno.lock has them", async () => {
  await using dir = await tempDir();
  const { packages } = await bundleProgram(join(dir.path, "bundle"));
  const lock = Deno.readTextFileSync(join(ROOT, "deno.lock"));
  const { components } = await sbom({ packages, lock, denoVersion: "2.9.6", runtime: null });
  // As Deno itself sees the graph of modules.
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "src/server.ts"],
    cwd: ROOT,
  }).output();
  const { modules }: { modules: { kind: string; npmPackage?: string }[] } = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  const imported = new Set(
    modules.flatMap(({ npmPackage }) =>
      npmPackage === undefined ? [] : [npmPackage.split("_")[0]!]
    ),
  );
  const listed = components.filter(({ type }) => type === "library");
  assert.deepEqual(
    listed.map(({ name, version }: Component) => `${name}@${version}`).sort(),
    [...imported].sort(),
  );
  for (const { name, purl, licenses, hashes } of listed) {
    assert.match(purl!, /^pkg:npm\/(%40[\w-]+\/)?[\w-]+@\d/, name);
    assert.ok(licenses !== undefined, name);
    assert.match(hashes![0]!.content, /^[0-9a-f]{128}$/, name);
  }
  assert.equal(components.at(-1)!.name, "deno");
  const strange = new Map([["not-locked@1.0.0", ROOT]]);
  await assert.rejects(
    sbom({ packages: strange, lock, denoVersion: "2.9.6", runtime: null }),
    BuildFailure,
  );
});

Deno.test("programKind() tells for which system a program is", async () => {
  await using dir = await tempDir();
  const header = (put: (view: DataView) => void): Uint8Array => {
    const view = new DataView(new ArrayBuffer(512));
    put(view);
    return new Uint8Array(view.buffer);
  };
  const elf = (machine: number) =>
    header((view) => {
      view.setUint32(0, 0x7f45_4c46);
      view.setUint16(18, machine, true);
    });
  const mach = (cpu: number) =>
    header((view) => {
      view.setUint32(0, 0xfeed_facf, true);
      view.setUint32(4, cpu, true);
    });
  const pe = (machine: number, offset = 128) =>
    header((view) => {
      view.setUint16(0, 0x4d5a);
      view.setUint32(60, offset, true);
      if (offset < 500) view.setUint32(offset, 0x5045_0000);
      if (offset < 500) view.setUint16(offset + 4, machine, true);
    });
  const programs: [Uint8Array, string | null][] = [
    [elf(0x3e), "linux x86_64"],
    [elf(0xb7), "linux aarch64"],
    [elf(0x08), null],
    [mach(0x0100_0007), "darwin x86_64"],
    [mach(0x0100_000c), "darwin aarch64"],
    [pe(0x8664), "windows x86_64"],
    [pe(0xaa64), "windows aarch64"],
    [pe(0x8664, 0xffff_fff0), null],
    [new Uint8Array(), null],
    [new TextEncoder().encode("#!/bin/sh\n"), null],
  ];
  const path = join(dir.path, "program");
  for (const [bytes, kind] of programs) {
    await Deno.writeFile(path, bytes);
    const found = await programKind(path);
    assert.equal(found === null ? null : `${found.os} ${found.arch}`, kind);
  }
  assert.equal(await programKind(join(dir.path, "none")), null);
  assert.deepEqual(await programKind(Deno.execPath()), {
    os: Deno.build.os,
    arch: Deno.build.arch,
  });
});

Deno.test("Each target has its own file, and this machine is one of them", () => {
  assert.equal(new Set(TARGETS.map(({ file }) => file)).size, TARGETS.length);
  const here = targetNamed(Deno.build.target)!;
  assert.deepEqual([here.os, here.arch], [Deno.build.os, Deno.build.arch]);
  assert.equal(targetNamed("m68k-amiga"), null);
});

import assert from "node:assert/strict";
import fc from "fast-check";
import { filterFor, type FilterOptions, instructions } from "../src/host/seccomp.ts";
import {
  type Architecture,
  LOOKED_AT,
  NEVER,
  NEVER_BESIDE_OTHERS,
  NEVER_WITHOUT_GPU,
  numbersOf,
} from "../src/host/seccomp_table.ts";

const ARCHITECTURES: readonly Architecture[] = ["x86_64", "aarch64"];
const AUDIT = { x86_64: 0xc000003e, aarch64: 0xc00000b7 };
const PLAIN = { gpu: false, besideOthers: false };

/** What the kernel would do: "allow", "kill", or the number of the error. */
function verdict(
  options: FilterOptions,
  call: number,
  args: readonly bigint[] = [],
  audit = AUDIT[options.architecture],
): "allow" | "kill" | number {
  const bytes = filterFor(options);
  const view = new DataView(bytes.buffer);
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call, true);
  data.setUint32(4, audit, true);
  args.forEach((arg, index) => data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, arg), true));
  let accumulator = 0;
  for (let at = 0; at < bytes.length; at += 8) {
    const k = view.getUint32(at + 4, true);
    const jump = (taken: boolean) => at += 8 * view.getUint8(at + (taken ? 2 : 3));
    switch (view.getUint16(at, true)) {
      case 0x20:
        accumulator = data.getUint32(k, true);
        break;
      case 0x54:
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x15:
        jump(accumulator === k);
        break;
      case 0x35:
        jump(accumulator >= k);
        break;
      case 0x06:
        if (k === 0x7fff0000) return "allow";
        if (k === 0x80000000) return "kill";
        assert.equal(k >>> 16, 5);
        return k & 0xffff;
      default:
        assert.fail(`Unknown instruction at ${at}`);
    }
  }
  assert.fail("It runs off its end");
}

for (const architecture of ARCHITECTURES) {
  const plain = { ...PLAIN, architecture };
  const gpu = { ...plain, gpu: true };
  const number = (name: keyof typeof LOOKED_AT) => LOOKED_AT[name][architecture]!;

  Deno.test(`filterFor() refuses what its table says on ${architecture}, and allows the rest`, () => {
    const always = new Set(numbersOf(NEVER, architecture));
    const withoutGpu = new Set(numbersOf(NEVER_WITHOUT_GPU, architecture));
    const others = new Set(numbersOf(NEVER_BESIDE_OTHERS, architecture));
    const looked = new Set<number | null>(
      Object.values(LOOKED_AT).map((each) => each[architecture]),
    );
    for (let call = 0; call < 500; call++) {
      if (looked.has(call)) continue;
      const never = always.has(call);
      assert.equal(verdict(gpu, call), never ? 1 : "allow", `call ${call} with a GPU`);
      assert.equal(verdict(plain, call), never || withoutGpu.has(call) ? 1 : "allow", `${call}`);
      const beside = verdict({ ...gpu, besideOthers: true }, call);
      assert.equal(beside, never || others.has(call) ? 1 : "allow", `call ${call} beside others`);
    }
  });

  Deno.test(`filterFor() looks at arguments on ${architecture}`, () => {
    const table: [keyof typeof LOOKED_AT, bigint[], "allow" | number][] = [
      ["socket", [1n, 1n, 0n], "allow"],
      ["socket", [1n, 0x80801n, 0n], "allow"],
      ["socket", [1n, 2n, 0n], 1],
      ["socket", [2n, 1n, 0n], 97],
      ["socket", [10n, 2n, 17n], 97],
      ["socket", [16n, 3n, 0n], 97],
      ["socketpair", [1n, 1n, 0n], "allow"],
      ["socketpair", [2n, 1n, 0n], 97],
      ["sendto", [3n, 1n, 1n, 0n, 0n], "allow"],
      ["sendto", [3n, 1n, 1n, 0n, 0x7fff12345678n], 1],
      ["sendto", [3n, 1n, 1n, 0n, 0x700000000000n], 1],
      ["clone", [0x3d0f00n], "allow"],
      ["clone", [17n], 1],
      ["clone", [0x4000_0000n + 17n], 1],
      ["clone3", [1n, 88n], 38],
      ["ioctl", [0n, 0x5401n], "allow"],
      ["ioctl", [0n, 0x5412n], 1],
      ["ioctl", [0n, 0xffff_0000_5412n], 1],
      ["ioctl", [0n, 0x541cn], 1],
      ["prlimit64", [0n, 7n, 0n], "allow"],
      ["prlimit64", [1234n, 7n, 0n], 1],
      ["openat", [-100n, 1n, 0n], "allow"],
      ["openat", [-100n, 1n, 0o200000n | 0o2000000n], "allow"],
      ["openat", [-100n, 1n, 0o101n, 0o600n], 1],
      ["openat", [-100n, 1n, 0o20200002n], 1],
      ["openat2", [-100n, 1n, 1n], 38],
    ];
    for (const [name, args, expected] of table) {
      assert.equal(verdict(plain, number(name), args), expected, `${name}(${args})`);
    }
    assert.equal(verdict(gpu, number("openat"), [-100n, 1n, 0o101n]), "allow");
    assert.equal(verdict(gpu, number("socket"), [2n, 1n]), 97);
    assert.equal(verdict(gpu, number("clone"), [17n]), 1);
  });

  Deno.test(`filterFor() kills a program of another architecture than ${architecture}`, () => {
    for (const audit of [0x40000003, 0x40000028, ...Object.values(AUDIT)]) {
      if (audit === AUDIT[architecture]) continue;
      assert.equal(verdict(plain, 0, [], audit), "kill");
    }
  });
}

Deno.test("filterFor() knows the second set of numbers of x86_64", () => {
  const options: FilterOptions = { ...PLAIN, architecture: "x86_64" };
  assert.equal(verdict(options, 0x4000_0000 + 41, [2n]), 38);
});

Deno.test("filterFor() ends with a verdict for every call and every argument, forwards only", () => {
  const options = ARCHITECTURES.flatMap((architecture) =>
    [true, false].flatMap((gpu) =>
      [true, false].map((besideOthers) => ({ architecture, gpu, besideOthers }))
    )
  );
  for (const each of options) assert.ok(instructions(each).length < 4_096);
  const argument = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(fc.property(
    fc.constantFrom(...options),
    fc.oneof(fc.nat({ max: 500 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
    fc.array(argument, { maxLength: 6 }),
    (each, call, args) => void verdict(each, call, args),
  ));
});

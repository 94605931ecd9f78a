// The system call filter of a cage, as the kernel reads it: a small assembler for its bytecode (pure).
// Which calls are refused is seccomp_table.ts's; who loads the filter, bubblewrap.ts and landlock.ts.

import {
  type Architecture,
  LOOKED_AT,
  NEVER,
  NEVER_BESIDE_OTHERS,
  NEVER_WITHOUT_GPU,
  numbersOf,
} from "./seccomp_table.ts";

export type { Architecture };

export interface FilterOptions {
  architecture: Architecture;
  /** Drivers may create files and reach their own services. */
  gpu: boolean;
  /** The process numbers of others are seen: then nobody is signalled, not even oneself. */
  besideOthers: boolean;
}

/** One instruction: operation, jumps when true and when false, value. */
export type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, k: number];

const LOAD = 0x20;
const AND = 0x54;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_AT_LEAST = 0x35;
const RETURN = 0x06;

const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** Where the kernel's description of a call has its parts; of arguments the lower half. */
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const argumentAt = (index: number) => 16 + 8 * index;
const upperHalfAt = (index: number) => argumentAt(index) + 4;

const AUDIT: Readonly<Record<Architecture, number>> = {
  x86_64: 0xc000_003e,
  aarch64: 0xc000_00b7,
};
/** From here on x86_64 has the calls of a second, smaller set of programs: the same under other numbers. */
const X32 = 0x4000_0000;

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCKET_TYPE_MASK = 0xf;
const CLONE_THREAD = 0x0001_0000;
const O_CREAT = 0o100;
/** The flag alone; O_DIRECTORY, which comes with it, only reads. */
const O_TMPFILE = 0o20000000;
/** Words put into a terminal's input, and a console's clipboard. */
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

export function filterFor(options: FilterOptions): Uint8Array<ArrayBuffer> {
  return encode(instructions(options));
}

/** Null where there is no table for it. */
export function architectureOf(arch: string): Architecture | null {
  return arch === "x86_64" || arch === "aarch64" ? arch : null;
}

export function instructions(options: FilterOptions): Instruction[] {
  const { architecture, gpu, besideOthers } = options;
  const number = (name: keyof typeof LOOKED_AT) => LOOKED_AT[name][architecture];
  return [
    load(ARCHITECTURE_AT),
    [JUMP_IF_EQUAL, 1, 0, AUDIT[architecture]],
    end(KILL_PROCESS),
    load(NUMBER_AT),
    ...(architecture === "x86_64" ? [[JUMP_IF_AT_LEAST, 0, 1, X32] as const, refuse(ENOSYS)] : []),
    ...numbersOf(NEVER, architecture).flatMap((each) => refused(each)),
    ...(besideOthers
      ? numbersOf(NEVER_BESIDE_OTHERS, architecture).flatMap((each) => refused(each))
      : []),
    // C libraries then take clone, whose arguments can be seen.
    ...refused(number("clone3"), ENOSYS),
    ...looked(number("clone"), bitsSet(0, CLONE_THREAD)),
    ...looked(number("socket"), [...equal(0, AF_UNIX, EAFNOSUPPORT), ...(gpu ? [] : stream())]),
    ...looked(number("socketpair"), [...equal(0, AF_UNIX, EAFNOSUPPORT), ...(gpu ? [] : stream())]),
    ...looked(number("ioctl"), [...unequal(1, TIOCSTI), ...unequal(1, TIOCLINUX)]),
    // Its own limits alone: 0 is oneself.
    ...looked(number("prlimit64"), equal(0, 0, EPERM)),
    ...(gpu ? [] : [
      ...numbersOf(NEVER_WITHOUT_GPU, architecture).flatMap((each) => refused(each)),
      ...looked(number("sendto"), nullPointer(4)),
      ...looked(number("open"), bitsClear(1, O_CREAT | O_TMPFILE)),
      ...looked(number("openat"), bitsClear(2, O_CREAT | O_TMPFILE)),
      // What it shall do lies in memory, where a filter cannot look.
      ...refused(number("openat2"), ENOSYS),
    ]),
    end(ALLOW),
  ];
}

function load(offset: number): Instruction {
  return [LOAD, 0, 0, offset];
}
function end(action: number): Instruction {
  return [RETURN, 0, 0, action];
}
function refuse(errno: number): Instruction {
  return end(0x0005_0000 | errno);
}

function refused(number: number | null, errno = EPERM): Instruction[] {
  return number === null ? [] : [[JUMP_IF_EQUAL, 0, 1, number], refuse(errno)];
}

/** For one call: its checks, each of which refuses or goes on; after the last it is allowed. */
function looked(number: number | null, checks: readonly Instruction[]): Instruction[] {
  if (number === null) return [];
  return [[JUMP_IF_EQUAL, 0, checks.length + 1, number], ...checks, end(ALLOW)];
}

function equal(index: number, value: number, errno: number): Instruction[] {
  return [load(argumentAt(index)), [JUMP_IF_EQUAL, 1, 0, value], refuse(errno)];
}
function unequal(index: number, value: number): Instruction[] {
  return [load(argumentAt(index)), [JUMP_IF_EQUAL, 0, 1, value], refuse(EPERM)];
}
function stream(): Instruction[] {
  return [
    load(argumentAt(1)),
    [AND, 0, 0, SOCKET_TYPE_MASK],
    [JUMP_IF_EQUAL, 1, 0, SOCK_STREAM],
    refuse(EPERM),
  ];
}
function bitsSet(index: number, bits: number): Instruction[] {
  return [load(argumentAt(index)), [AND, 0, 0, bits], [JUMP_IF_EQUAL, 1, 0, bits], refuse(EPERM)];
}
function bitsClear(index: number, bits: number): Instruction[] {
  return [load(argumentAt(index)), [AND, 0, 0, bits], [JUMP_IF_EQUAL, 1, 0, 0], refuse(EPERM)];
}
function nullPointer(index: number): Instruction[] {
  return [
    load(argumentAt(index)),
    [JUMP_IF_EQUAL, 1, 0, 0],
    refuse(EPERM),
    load(upperHalfAt(index)),
    [JUMP_IF_EQUAL, 1, 0, 0],
    refuse(EPERM),
  ];
}

function encode(list: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(list.length * 8);
  const view = new DataView(bytes.buffer);
  // Both architectures are little-endian.
  for (const [index, [code, whenTrue, whenFalse, k]] of list.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, whenTrue);
    view.setUint8(index * 8 + 3, whenFalse);
    view.setUint32(index * 8 + 4, k >>> 0, true);
  }
  return bytes;
}

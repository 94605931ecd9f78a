// Runs inside a cage, alone, without a module of ours: tries to get out, and prints what came of it. Each
// line is `NAME: refused (WHY)` or `NAME: done (WHAT)`.
// deno-lint-ignore-file no-console -- its output is what the test reads

import { createSocket } from "node:dgram";

interface Targets {
  home: string;
  ownModel: string;
  otherModel: string;
  socket: string;
  ownFolder: string;
  tcpPort: number;
  udpPort: number;
  victim: number;
  /** System calls by name, with their numbers on this machine. */
  calls: Record<string, number>;
}

const targets: Targets = JSON.parse(Deno.args[0]!);

const libc = Deno.dlopen("libc.so.6", {
  syscall: { parameters: Array(7).fill("i64"), result: "i64" },
  __errno_location: { parameters: [], result: "pointer" },
});

/** Throws the system's number of the error. */
function call(name: string, ...args: (number | bigint)[]): bigint {
  const number = targets.calls[name];
  if (number === undefined) throw new Error(`no number for ${name}`);
  const words = [number, ...args, ...Array(6 - args.length).fill(0)].map(BigInt);
  const result = libc.symbols.syscall(...words as Parameters<typeof libc.symbols.syscall>);
  if (result >= 0n) return result;
  const errno = new Deno.UnsafePointerView(libc.symbols.__errno_location()!).getInt32();
  throw new Error(`errno ${errno}`);
}

function address(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}

function text(words: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${words}\0`);
}

async function attempt(name: string, action: () => unknown): Promise<void> {
  try {
    const done = await action();
    console.log(`${name}: done (${String(done)})`);
  } catch (error) {
    const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    console.log(`${name}: refused (${why.replaceAll("\n", " ")})`);
  }
}

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;

async function run(): Promise<void> {
  await attempt("read own model", () => Deno.readFileSync(targets.ownModel).length);
  await attempt("list home", () => [...Deno.readDirSync(targets.home)].length);
  await attempt("read passwd", () => Deno.readTextFileSync("/etc/passwd").length);
  await attempt("read other model", () => Deno.readFileSync(targets.otherModel).length);
  await attempt("write own model", () => Deno.writeTextFileSync(targets.ownModel, "x"));
  await attempt("remove own model", () => Deno.removeSync(targets.ownModel));
  await attempt("write program", () => Deno.openSync(import.meta.filename!, { write: true }));
  await attempt("write tmp", () => Deno.writeTextFileSync("/tmp/file", "x"));
  await attempt("write root", () => Deno.writeTextFileSync("/file", "x"));
  await attempt("write own folder", () => Deno.writeTextFileSync(`${targets.ownFolder}/f`, "x"));
  await attempt(
    "link in own folder",
    () => Deno.symlinkSync(targets.socket, `${targets.ownFolder}/s.sock`),
  );
  await attempt(
    "second name in own folder",
    () => Deno.linkSync(targets.ownModel, `${targets.ownFolder}/s.sock`),
  );
  await attempt("write core pattern", () => {
    const file = Deno.openSync("/proc/sys/kernel/core_pattern", { write: true });
    file.close();
  });
  await attempt("list devices", () => [...Deno.readDirSync("/dev")].map(({ name }) => name).sort());
  await attempt("tcp loopback", async () => {
    (await Deno.connect({ hostname: "127.0.0.1", port: targets.tcpPort })).close();
  });
  await attempt("tcp outside", async () => {
    (await Deno.connect({ hostname: "192.0.2.1", port: 80 })).close();
  });
  await attempt("tcp listen", () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close());
  for (const [name, hostname] of [["loopback", "127.0.0.1"], ["outside", "192.0.2.1"]] as const) {
    await attempt(`udp ${name}`, async () => {
      const socket = createSocket("udp4");
      const failed = new Promise((_, reject) => socket.on("error", reject));
      const sent = new Promise((resolve, reject) => {
        const done = (error: Error | null) => error === null ? resolve("sent") : reject(error);
        socket.send("x", targets.udpPort, hostname, done);
      });
      return await Promise.race([sent, failed]);
    });
  }
  for (const [name, family] of Object.entries({ inet: 2, inet6: 10, netlink: 16, packet: 17 })) {
    await attempt(`socket ${name}`, () => call("socket", family, SOCK_RAW, 0));
  }
  await attempt("datagram socket", () => call("socket", AF_UNIX, SOCK_DGRAM, 0));
  await attempt("unlisted socket", async () => {
    (await Deno.connect({ transport: "unix", path: targets.socket })).close();
  });
  await attempt("abstract socket", () => {
    const bytes = new Uint8Array([AF_UNIX, 0, 0, ...text("zombie")]);
    const file = call("socket", AF_UNIX, SOCK_STREAM, 0);
    return call("connect", file, address(bytes), bytes.length);
  });
  await attempt(
    "see other process",
    () => Deno.readTextFileSync(`/proc/${targets.victim}/cmdline`),
  );
  await attempt(
    "list processes",
    () => [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name)).length,
  );
  await attempt("kill", () => call("kill", targets.victim, 9));
  await attempt("kill all", () => call("kill", -1, 9));
  await attempt("kill thread", () => call("tgkill", targets.victim, targets.victim, 9));
  await attempt("ptrace", () => call("ptrace", 16, targets.victim, 0, 0));
  await attempt("read memory", () => call("process_vm_readv", targets.victim, 0, 0, 0, 0, 0));
  await attempt("pidfd", () => call("pidfd_open", targets.victim, 0));
  await attempt("limits of another", () => call("prlimit64", targets.victim, 4, 0, 0));
  await attempt(
    "shell",
    () => new Deno.Command("/bin/sh", { args: ["-c", "id"] }).outputSync().code,
  );
  await attempt("itself again", () => new Deno.Command(Deno.execPath()).outputSync().code);
  await attempt("become a shell", () => {
    const path = text("/bin/sh");
    const none = new Uint8Array(8);
    return call("execve", address(path), address(none), address(none));
  });
  const SIGCHLD = 17;
  await attempt("fork by clone", () => call("clone", SIGCHLD, 0, 0, 0, 0));
  await attempt("fork by clone3", () => call("clone3", address(new Uint8Array(88)), 88));
  if ("fork" in targets.calls) await attempt("fork", () => call("fork"));
  if ("vfork" in targets.calls) await attempt("vfork", () => call("vfork"));
  await attempt("namespace", () => call("unshare", 0x1000_0000));
  await attempt("mount", () => call("mount", 0, 0, 0, 0, 0));
  await attempt("bpf", () => call("bpf", 0, 0, 0));
  await attempt("io_uring", () => call("io_uring_setup", 8, address(new Uint8Array(120))));
  await attempt("keys", () => call("keyctl", 0, -3, 0));
  await attempt("perf", () => call("perf_event_open", address(new Uint8Array(128)), 0, -1, -1, 0));
  await attempt("shared memory", () => call("shmget", 4711, 4096, 0o1600));
  await attempt("open by handle", () => call("open_by_handle_at", -100, 0, 0));
  await attempt("thread", async () => {
    const source = "data:text/javascript,postMessage(1);close()";
    const worker = new Worker(source, { type: "module" });
    await new Promise((resolve) => worker.onmessage = resolve);
  });
  await attempt("listen in own folder", () => {
    Deno.listen({ transport: "unix", path: `${targets.ownFolder}/own.sock` }).close();
  });
  await attempt("open files", () => {
    const files: Deno.FsFile[] = [];
    try {
      for (;;) files.push(Deno.openSync(targets.ownModel));
    } finally {
      const count = files.length;
      for (const file of files) file.close();
      console.log(`opened ${count}`);
    }
  });
}

await run();
console.log("over");

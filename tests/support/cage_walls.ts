// What a caged program must not be able to do, each with the attempts that show it.

import assert from "node:assert/strict";
import type { Attempts } from "./caged_program.ts";

export interface Wall {
  what: string;
  attempts: readonly string[];
}

/** Against code that a stranger's file brought into the process: it must not reach the computer. */
export const CODE_WALLS: readonly Wall[] = [
  { what: "starts no shell", attempts: ["shell", "itself again"] },
  { what: "becomes no shell", attempts: ["become a shell"] },
  {
    what: "makes no process, so that no fork bomb goes off",
    attempts: ["fork by clone", "fork by clone3"],
  },
  { what: "sees no other process", attempts: ["see other process"] },
  { what: "ends no other process", attempts: ["kill", "kill all", "kill thread", "pidfd"] },
  {
    what: "looks into no other process and changes none",
    attempts: ["ptrace", "read memory", "limits of another"],
  },
  { what: "makes no namespace and mounts nothing", attempts: ["namespace", "mount"] },
  {
    what: "reaches none of the kernel's own machines",
    attempts: ["bpf", "io_uring", "keys", "perf", "shared memory", "open by handle"],
  },
  { what: "changes nothing of the system", attempts: ["write core pattern"] },
  {
    what: "changes neither its program nor its model",
    attempts: ["write program", "write own model", "remove own model"],
  },
  { what: "writes no file anywhere", attempts: ["write tmp", "write root", "write own folder"] },
  { what: "opens no more files than it may", attempts: ["open files"] },
];

/** Against a process that wants what belongs to the user. */
export const DATA_WALLS: readonly Wall[] = [
  { what: "reads no /etc/passwd", attempts: ["read passwd"] },
  { what: "reads no other model", attempts: ["read other model"] },
  { what: "has no TCP on loopback", attempts: ["tcp loopback", "tcp listen"] },
  { what: "has no TCP to the world", attempts: ["tcp outside"] },
  { what: "has no UDP on loopback", attempts: ["udp loopback"] },
  { what: "has no UDP to the world", attempts: ["udp outside"] },
  {
    what: "has no socket of another family",
    attempts: ["socket inet", "socket inet6", "socket netlink", "socket packet"],
  },
  {
    what: "connects to no socket that is not its own",
    attempts: ["unlisted socket", "abstract socket", "datagram socket"],
  },
  {
    what: "puts nothing else in its socket's place",
    attempts: ["link in own folder", "second name in own folder"],
  },
];

export function assertHolds(seen: Attempts, { attempts }: Wall): void {
  for (const name of attempts) assert.match(seen.outcome(name), /^refused /, name);
}

/** A cage in which nothing works would pass all else. */
export function assertWorks(seen: Attempts): void {
  for (const name of ["read own model", "listen in own folder", "thread"]) {
    assert.match(seen.outcome(name), /^done /, name);
  }
  assert.ok(seen.lines.some((line) => /^opened \d{3,4}$/.test(line)));
}

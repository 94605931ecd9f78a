// Which system calls a cage refuses, with their numbers on both architectures (pure). A program for
// models reads files, computes and answers on one socket: what it never needs is refused.

export type Architecture = "x86_64" | "aarch64";

/** Name -> number on x86_64 and on aarch64; null = there is no such call. */
type Row = readonly [name: string, x86_64: number | null, aarch64: number | null];

/** Looking into, changing or signalling other processes; the system itself; ways around this filter. */
export const NEVER: readonly Row[] = [
  ["ptrace", 101, 117],
  ["process_vm_readv", 310, 270],
  ["process_vm_writev", 311, 271],
  ["kcmp", 312, 272],
  ["process_madvise", 440, 440],
  ["pidfd_open", 434, 434],
  ["pidfd_getfd", 438, 438],
  ["pidfd_send_signal", 424, 424],
  ["kill", 62, 129],
  ["tkill", 200, 130],
  ["rt_sigqueueinfo", 129, 138],
  ["rt_tgsigqueueinfo", 297, 240],
  ["perf_event_open", 298, 241],
  ["bpf", 321, 280],
  ["userfaultfd", 323, 282],
  ["add_key", 248, 217],
  ["request_key", 249, 218],
  ["keyctl", 250, 219],
  ["mount", 165, 40],
  ["umount2", 166, 39],
  ["pivot_root", 155, 41],
  ["chroot", 161, 51],
  ["open_tree", 428, 428],
  ["move_mount", 429, 429],
  ["fsopen", 430, 430],
  ["fsconfig", 431, 431],
  ["fsmount", 432, 432],
  ["fspick", 433, 433],
  ["mount_setattr", 442, 442],
  ["unshare", 272, 97],
  ["setns", 308, 268],
  ["reboot", 169, 142],
  ["swapon", 167, 224],
  ["swapoff", 168, 225],
  ["init_module", 175, 105],
  ["finit_module", 313, 273],
  ["delete_module", 176, 106],
  ["kexec_load", 246, 104],
  ["kexec_file_load", 320, 294],
  // Work that is handed in there passes by every filter.
  ["io_uring_setup", 425, 425],
  ["io_uring_enter", 426, 426],
  ["io_uring_register", 427, 427],
  ["name_to_handle_at", 303, 264],
  ["open_by_handle_at", 304, 265],
  ["acct", 163, 89],
  ["quotactl", 179, 60],
  ["quotactl_fd", 443, 443],
  ["settimeofday", 164, 170],
  ["clock_settime", 227, 112],
  ["clock_adjtime", 305, 266],
  ["adjtimex", 159, 171],
  ["sethostname", 170, 161],
  ["setdomainname", 171, 162],
  ["iopl", 172, null],
  ["ioperm", 173, null],
  ["modify_ldt", 154, null],
  ["syslog", 103, 116],
  ["personality", 135, 92],
  ["vhangup", 153, 58],
  ["fanotify_init", 300, 262],
  ["fanotify_mark", 301, 263],
  ["lookup_dcookie", 212, 18],
  ["nfsservctl", 180, 42],
  ["uselib", 134, null],
  ["ustat", 136, null],
  ["sysfs", 139, null],
  ["_sysctl", 156, null],
  ["mq_open", 240, 180],
  ["msgget", 68, 186],
  ["semget", 64, 190],
  ["shmget", 29, 194],
  // A new process; threads come by clone, which is looked at more closely.
  ["fork", 57, null],
  ["vfork", 58, null],
];

/** Another file, another name for one, or a message to somebody. Drivers of GPUs may need these. */
export const NEVER_WITHOUT_GPU: readonly Row[] = [
  ["connect", 42, 203],
  ["sendmsg", 46, 211],
  ["sendmmsg", 307, 269],
  ["creat", 85, null],
  ["mkdir", 83, null],
  ["mkdirat", 258, 34],
  ["mknod", 133, null],
  ["mknodat", 259, 33],
  ["link", 86, null],
  ["linkat", 265, 37],
  ["symlink", 88, null],
  ["symlinkat", 266, 36],
  ["rename", 82, null],
  ["renameat", 264, 38],
  ["renameat2", 316, 276],
  ["truncate", 76, 45],
  ["chmod", 90, null],
  ["fchmod", 91, 52],
  ["fchmodat", 268, 53],
  ["fchmodat2", 452, 452],
  ["chown", 92, null],
  ["fchown", 93, 55],
  ["lchown", 94, null],
  ["fchownat", 260, 54],
  ["setxattr", 188, 5],
  ["lsetxattr", 189, 6],
  ["fsetxattr", 190, 7],
];

/** A signal to a thread: within a process of one's own numbers harmless, else to anyone's. */
export const NEVER_BESIDE_OTHERS: readonly Row[] = [["tgkill", 234, 131]];

/** The calls whose arguments decide. */
export const LOOKED_AT = {
  socket: { x86_64: 41, aarch64: 198 },
  socketpair: { x86_64: 53, aarch64: 199 },
  sendto: { x86_64: 44, aarch64: 206 },
  clone: { x86_64: 56, aarch64: 220 },
  clone3: { x86_64: 435, aarch64: 435 },
  ioctl: { x86_64: 16, aarch64: 29 },
  prlimit64: { x86_64: 302, aarch64: 261 },
  open: { x86_64: 2, aarch64: null },
  openat: { x86_64: 257, aarch64: 56 },
  openat2: { x86_64: 437, aarch64: 437 },
} as const satisfies Record<string, Record<Architecture, number | null>>;

export function numbersOf(rows: readonly Row[], architecture: Architecture): number[] {
  return rows.flatMap(([, x86, arm]) => (architecture === "x86_64" ? x86 : arm) ?? []);
}

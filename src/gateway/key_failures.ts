// Wrong keys by the address that they came from: who guesses has to wait, and longer each time.
// Memory is bounded, whoever asks.

export interface KeyFailuresOptions {
  /** Wrong keys that an address may send before it has to wait. */
  free?: number;
  now?: () => number;
}

interface Caller {
  failures: number;
  lastFailureMs: number;
  blockedUntilMs: number;
  /** IDs of the keys that this address had before. */
  readonly good: Set<string>;
}

const FREE = 5;
/** Few wrong keys are forgotten after it, those of somebody who had to wait after the longer. */
const FORGET_MS = 60_000;
const FORGET_BLOCKED_MS = 600_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
const MOST_CALLERS = 1_024;

export class KeyFailures {
  readonly #free: number;
  readonly #now: () => number;
  readonly #callers = new Map<string, Caller>();

  constructor(options: KeyFailuresOptions = {}) {
    this.#free = options.free ?? FREE;
    this.#now = options.now ?? (() => performance.now());
  }

  /** How long keys from there are not looked at; 0 = they are. */
  waitMs(address: string): number {
    const caller = this.#callers.get(callerOf(address));
    return caller === undefined ? 0 : Math.max(0, caller.blockedUntilMs - this.#now());
  }

  /** A wrong key, or one that is still looked at: where it was right, what is returned undoes this. */
  failed(address: string): () => void {
    const caller = this.#callerAt(address);
    const now = this.#now();
    const forgetMs = caller.failures < this.#free ? FORGET_MS : FORGET_BLOCKED_MS;
    if (now - caller.lastFailureMs > forgetMs) caller.failures = 0;
    const before = caller.blockedUntilMs;
    caller.failures++;
    caller.lastFailureMs = now;
    const beyond = caller.failures - this.#free;
    if (beyond >= 0) {
      caller.blockedUntilMs = now + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** beyond);
    }
    const until = caller.blockedUntilMs;
    return () => {
      caller.failures = Math.max(0, caller.failures - 1);
      if (caller.blockedUntilMs === until) caller.blockedUntilMs = before;
    };
  }

  /** A right key came from there. */
  succeeded(address: string, keyId: string): void {
    this.#callerAt(address).good.add(keyId);
  }

  /**
   * Whether this key came from there before somebody guessed: many people may share an address, such
   * as a proxy's, and those who were let in stay in.
   */
  hasHad(address: string, keyId: string): boolean {
    return this.#callers.get(callerOf(address))?.good.has(keyId) ?? false;
  }

  /** Whether any key was right from there. */
  hasHadAny(address: string): boolean {
    return (this.#callers.get(callerOf(address))?.good.size ?? 0) > 0;
  }

  #callerAt(address: string): Caller {
    const name = callerOf(address);
    const known = this.#callers.get(name);
    if (known !== undefined) return known;
    if (this.#callers.size >= MOST_CALLERS) this.#dropOne();
    const caller: Caller = {
      failures: 0,
      lastFailureMs: -Infinity,
      blockedUntilMs: 0,
      good: new Set(),
    };
    this.#callers.set(name, caller);
    return caller;
  }

  // Who waits must not be forgotten for a stranger's first look; where all wait, the oldest goes.
  #dropOne(): void {
    const now = this.#now();
    let oldest: string | null = null;
    for (const [name, caller] of this.#callers) {
      oldest ??= name;
      if (caller.blockedUntilMs > now) continue;
      this.#callers.delete(name);
      return;
    }
    if (oldest !== null) this.#callers.delete(oldest);
  }
}

/** One home has 2^64 addresses of IPv6: its network counts. */
export function callerOf(address: string): string {
  if (!address.includes(":")) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1]!;
  const [head = "", tail = ""] = address.split("%", 1)[0]!.split("::");
  const before = groupsOf(head);
  const after = groupsOf(tail);
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill("0");
  const groups = [...before, ...zeros, ...after];
  // This machine has one address there, and is not a neighbour of others.
  const isOwn = groups.every((group, index) => group === (index === 7 ? "1" : "0"));
  return isOwn ? "::1" : groups.slice(0, 4).join(":");
}

function groupsOf(text: string): string[] {
  return text === "" ? [] : text.split(":").map(plain);
}

function plain(group: string): string {
  return group.toLowerCase().replace(/^0+(?=.)/, "");
}

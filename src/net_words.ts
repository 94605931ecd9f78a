// A long list of addresses in few words: 44 of them are "ports 8001 and 8080 to 8100".

export interface NetGroup {
  /** As they are listened on or asked; those with the same ports together. */
  hosts: string[];
  /** `8001`, `8080 to 8100`; port 0 is "any free one". */
  ports: string;
}

export interface NetWords {
  /** Paths of unix sockets. */
  sockets: string[];
  groups: NetGroup[];
}

/** Addresses as Deno's permissions name them: `host:port`, `[::1]:port`, `unix:/path`. */
export function netWords(addresses: readonly string[]): NetWords {
  const sockets: string[] = [];
  const portsOf = new Map<string, Set<number>>();
  for (const address of addresses) {
    if (address.startsWith("unix:")) {
      sockets.push(address.slice("unix:".length));
      continue;
    }
    const colon = address.lastIndexOf(":");
    const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
    const ports = portsOf.get(host) ?? new Set();
    portsOf.set(host, ports.add(Number(address.slice(colon + 1))));
  }
  const groups = new Map<string, string[]>();
  for (const [host, ports] of portsOf) {
    const words = portWords([...ports]);
    groups.set(words, [...groups.get(words) ?? [], host]);
  }
  return { sockets, groups: [...groups].map(([ports, hosts]) => ({ ports, hosts })) };
}

const MOST_WORDS = 6;

function portWords(ports: number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const port of ports.filter((each) => each !== 0).sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range !== undefined && range[1] === port - 1) range[1] = port;
    else ranges.push([port, port]);
  }
  const words = ranges.flatMap(([first, last]) => {
    if (first === last) return [`${first}`];
    return last === first + 1 ? [`${first}`, `${last}`] : [`${first} to ${last}`];
  });
  // Free ports that the system chose say nobody anything.
  if (words.length > MOST_WORDS) {
    const shown = words.filter((word) => word.includes(" "));
    const others = ports.filter((port) => port !== 0).length -
      ranges.filter(([first, last]) => last > first + 1)
        .reduce((sum, [first, last]) => sum + last - first + 1, 0);
    words.splice(0, words.length, ...shown, `${others} others`);
  }
  if (ports.includes(0)) words.push("any free one");
  return joined(words);
}

/** `a, b and c` */
export function joined(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

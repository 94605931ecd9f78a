// The threat model, row by row: what is to be kept, from whom, and the way that they would take. Each
// row has a file of its own here, whose tests begin with its name.

export interface ThreatRow {
  readonly asset: string;
  readonly attacker: string;
  readonly path: string;
}

export const THREATS: Readonly<Record<number, ThreatRow>> = {
  1: { asset: "all APIs", attacker: "web page", path: "cross-origin fetch" },
  2: { asset: "all APIs", attacker: "web page", path: "DNS rebinding" },
  3: { asset: "an instance's API", attacker: "web page", path: "direct to the child's port" },
  4: {
    asset: "an instance's API",
    attacker: "other local user",
    path: "loopback TCP and /proc",
  },
  5: { asset: "host", attacker: "malicious GGUF", path: "code in the child" },
  6: {
    asset: "user data",
    attacker: "compromised child",
    path: "reading files and network exfiltration",
  },
  7: {
    asset: "gateway",
    attacker: "compromised child",
    path: "symlinked socket and hostile HTTP answers",
  },
  8: { asset: "host", attacker: "API client", path: "extra arguments and environment" },
  9: { asset: "host", attacker: "API client", path: "path in model id, delete or digest" },
  10: { asset: "host", attacker: "malicious Hub repo", path: "file names, links and sizes" },
  11: {
    asset: "host",
    attacker: "tampered engine archive",
    path: "zip-slip, links and a swapped asset",
  },
  12: {
    asset: "network around, cloud metadata",
    attacker: "API client",
    path: "SSRF through image_url",
  },
  13: {
    asset: "Hub token",
    attacker: "rogue host",
    path: "redirect and WWW-Authenticate",
  },
  14: {
    asset: "prompts and outputs",
    attacker: "other tenant or client",
    path: "/slots, /props and logs",
  },
  15: { asset: "page", attacker: "model output", path: "stored XSS in markdown" },
  16: { asset: "page", attacker: "link", path: "?q= auto-submit and clickjacking" },
  17: {
    asset: "host",
    attacker: "sandboxed run",
    path: "worker escape by static import, npm, endless loop and memory",
  },
  18: {
    asset: "host",
    attacker: "code in the gateway",
    path: "reading and writing outside, starting programs",
  },
  19: {
    asset: "engine folder",
    attacker: "anyone with data-dir write",
    path: "swapping the folder or adding a library",
  },
};

/** `Threat 1, web page: cross-origin fetch`, and what of it is tried. */
export function threatName(row: number, what: string): string {
  const { attacker, path } = THREATS[row]!;
  return `Threat ${row}, ${attacker}: ${path}: ${what}`;
}

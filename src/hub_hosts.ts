// Whom the server may ask on the Hub's side: the one list that its scope grants and its client obeys.

export interface HubPlaces {
  /** `https://huggingface.co`, or a mirror. */
  hfEndpoint: string;
  /** `host` or `host:port`. */
  downloadHosts: readonly string[];
  proxy: string | null;
}

/** The Hub's own, with all names below them: its files come from there. Encrypted alone. */
const HUB_DOMAINS = ["huggingface.co", "hf.co"];

/**
 * `host:port` of each, as a scope lists them. A proxy of HTTP needs no grant: Deno asks it by the
 * environment, and still holds each request against the list of those that it is for. With a grant
 * of its own the server could ask it for anything.
 */
export function hubAddresses({ hfEndpoint, downloadHosts, proxy }: HubPlaces): string[] {
  const endpoint = URL.parse(hfEndpoint);
  const socks = proxy === null || !/^socks/.test(proxy) ? null : URL.parse(proxy);
  const addresses = [
    ...endpoint === null ? [] : [`${endpoint.hostname}:${portOf(endpoint)}`],
    ...HUB_DOMAINS.flatMap((domain) => [`${domain}:443`, `*.${domain}:443`]),
    ...downloadHosts.flatMap((host) => /:\d+$/.test(host) ? [host] : [`${host}:443`, `${host}:80`]),
    ...socks === null ? [] : [`${socks.hostname}:${socks.port || "1080"}`],
  ];
  return [...new Set(addresses)];
}

/** Whether files may come from there, besides from the endpoint itself. */
export function isDownloadHost(url: URL, downloadHosts: readonly string[]): boolean {
  if (url.username !== "" || url.password !== "") return false;
  const { hostname, host, protocol, port } = url;
  if (protocol !== "https:" && protocol !== "http:") return false;
  const isHubs = HUB_DOMAINS.some((each) => hostname === each || hostname.endsWith(`.${each}`));
  if (isHubs && protocol === "https:" && port === "") return true;
  return downloadHosts.some((each) =>
    /:\d+$/.test(each) ? each === `${hostname}:${portOf(url)}` : port === "" && each === host
  );
}

function portOf({ port, protocol }: URL): string {
  return port || (protocol === "http:" ? "80" : "443");
}

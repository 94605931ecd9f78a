// Names of network places as settings write them: addresses to listen on, hosts, origins, endpoints.
// Each comes back in the one form in which a client sends it, so that comparing means ===.

import { BadValue } from "./bad_value.ts";

/** Addresses to listen on. `localhost` means both loopback addresses. */
export function parseAddress(text: string): string[] {
  if (text.toLowerCase() === "localhost") return ["127.0.0.1", "::1"];
  if (isIPv4(text)) return [text];
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (isIPv6(bare)) {
    return [new URL(`http://[${bare}]`).hostname.slice(1, -1)];
  }
  throw new BadValue(
    'an IP address without a port, such as "127.0.0.1", "::1" or "0.0.0.0", or "localhost"; the port is --port',
  );
}

/** True where only programs on this machine can connect. */
export function isLoopback(address: string): boolean {
  return address === "::1" || (isIPv4(address) && address.startsWith("127."));
}

// Marks and joiners are letters' parts: Bengali names have them.
const HOST = /^(\[[0-9a-f:.]+\]|[\p{L}\p{M}\p{N}\u200c\u200d._-]+)(?::(\d{1,5}))?$/iu;

/** `name` or `name:port`, as a Host header would carry it: lower case, punycode. */
export function parseHost(text: string): string {
  refuseWildcard(text, 'a host such as "pc.lan" or "pc.lan:8001"');
  const [, name, port] = HOST.exec(text) ?? [];
  const url = name === undefined ? null : URL.parse(`http://${name}/`);
  if (url === null || !isPort(port)) {
    throw new BadValue('a host such as "pc.lan" or "pc.lan:8001", without "http://" and path');
  }
  return port === undefined ? url.hostname : `${url.hostname}:${Number(port)}`;
}

const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\\\s*]+$/i;

/** `scheme://host[:port]`, as an Origin header would carry it. */
export function parseOrigin(text: string): string {
  const accepted = 'an origin such as "https://chat.example" or "http://pc.lan:3000"';
  refuseWildcard(text, accepted);
  const origin = text.endsWith("/") ? text.slice(0, -1) : text;
  const url = ORIGIN.test(origin) ? URL.parse(origin) : null;
  if (url === null) throw new BadValue(`${accepted}: scheme, host and port, nothing else`);
  // Only web schemes have an origin by the URL standard; an extension or a desktop app sends its own as it is.
  return url.origin === "null" ? origin.toLowerCase() : url.origin;
}

/** An address to fetch from, without the slash at its end. */
export function parseEndpoint(text: string): string {
  const url = URL.parse(text);
  if (
    url === null || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "" ||
    url.username !== "" || url.password !== ""
  ) throw new BadValue('an address such as "https://huggingface.co", without user, "?" and "#"');
  return url.href.replace(/\/+$/, "");
}

/** As an endpoint; nobody on the way may change what is installed. */
export function parseReleaseApi(text: string): string {
  const endpoint = parseEndpoint(text);
  const { protocol, hostname } = new URL(endpoint);
  const host = hostname.replace(/^\[|\]$/g, "");
  if (protocol === "https:" || host === "localhost" || isLoopback(host)) return endpoint;
  throw new BadValue('an address that begins with "https://", or one of this machine');
}

/** A proxy's address; `http://` may be left out, as curl allows. */
export function parseProxy(text: string): string {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || !/^(https?|socks5h?):$/.test(url.protocol) || url.hostname === "") {
    throw new BadValue('an address such as "http://proxy.lan:3128"');
  }
  return url.pathname === "/" ? url.href.replace(/\/$/, "") : url.href;
}

/** The proxy without the user and password that its address may carry. */
export function showProxy(proxy: string): string {
  const url = URL.parse(proxy);
  if (url === null || (url.username === "" && url.password === "")) return proxy;
  return `${url.protocol}//***@${url.host}`;
}

// By hand, not by node:net: the server loads this file, and that module would be the largest part of it.
function isIPv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 &&
    parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
}

function isIPv6(text: string): boolean {
  return /^[0-9a-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]`);
}

function refuseWildcard(text: string, accepted: string): void {
  if (text.includes("*")) throw new BadValue(`exact values only, without "*": ${accepted}`);
}

function isPort(digits: string | undefined): boolean {
  return digits === undefined || (Number(digits) > 0 && Number(digits) <= 65_535);
}

/** An address to connect to, where the server listens on every one. */
export function reachable(address: string): string {
  return address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}

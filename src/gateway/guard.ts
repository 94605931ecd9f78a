// Who may ask: Host, then path, then Origin, then the API key. Decides before any route runs. Which
// route is for whom is access.ts's, the key itself key_check.ts's, limits of bodies json_body.ts's.

import type { Context, MiddlewareHandler, Next } from "@hono/hono";

import { AppError } from "../errors.ts";
import type { AccessOf } from "./access.ts";
import { dialectOf } from "./dialect.ts";
import { renderAppError } from "./error_response.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { KeyCheck } from "./key_check.ts";

export interface GuardOptions {
  /** The settings that decide who may ask; none of them changes while the server runs. */
  config: {
    readonly hosts: readonly string[];
    readonly allowedHosts: readonly string[];
    readonly origins: readonly string[];
  };
  keys: Pick<KeyCheck, "check">;
  /** The gateway's own port, asked for when the first request is there. */
  port(): number;
}

/** What is allowed on one listening port, ready for comparing. */
export interface GuardRules {
  /** Allowed `Host` header -> how the address of such a request begins. */
  readonly prefixes: ReadonlyMap<string, string>;
  readonly origins: ReadonlySet<string>;
}

const LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"];
const WILDCARD_ADDRESSES = ["0.0.0.0", "::"];
/** A server has few ports; this bounds what rare ones leave behind. */
const MOST_PORTS = 256;
const SHOWN_CHARACTERS = 100;

/** The first middleware of an app: the gateway's, or with other rules of access that of the doors. */
export function createGuard(
  options: GuardOptions,
  accessOf: AccessOf,
): MiddlewareHandler<GatewayEnv> {
  const rulesOf = new Map<number, GuardRules>();
  function checkKey(c: Context<GatewayEnv>): void | Promise<void> {
    const { method, path } = c.req;
    const address = c.env.info.remoteAddr.hostname;
    return options.keys.check(c.req.raw.headers, { access: accessOf(method, path), address });
  }
  return (c, next) => {
    const request = c.req.raw;
    let rules = rulesOf.get(c.env.localPort);
    if (rules === undefined) {
      if (rulesOf.size >= MOST_PORTS) rulesOf.clear();
      rules = guardRules(options.config, { port: c.env.localPort, gatewayPort: options.port() });
      rulesOf.set(c.env.localPort, rules);
    }
    let origin: string | null;
    try {
      origin = checkAddress(request, rules);
    } catch (error) {
      return Promise.resolve(refuse(request, error));
    }
    if (origin !== null) return answerOrigin(c, { origin, next, checkKey });
    let checking: void | Promise<void>;
    try {
      checking = checkKey(c);
    } catch (error) {
      return Promise.resolve(refuse(request, error));
    }
    return checking === undefined ? next() : admitted(checking, { request, next });
  };
}

/** Own addresses and what the user allowed, for one port that is listened on. */
export function guardRules(
  config: GuardOptions["config"],
  ports: { port: number; gatewayPort: number },
): GuardRules {
  const own = new Set(LOOPBACK_HOSTS);
  for (const address of config.hosts) {
    if (!WILDCARD_ADDRESSES.includes(address)) {
      own.add(address.includes(":") ? `[${address}]` : address);
    }
  }
  const origins = new Set<string>();
  const hosts = new Set<string>();
  for (const port of [ports.port, ports.gatewayPort]) {
    for (const host of own) addOwn(host, port);
    for (const host of config.allowedHosts) {
      if (!hasPort(host)) addOwn(host, port);
    }
  }
  // As the user wrote it, too: behind a proxy, Host carries no port or the proxy's.
  for (const host of config.allowedHosts) {
    hosts.add(host);
    origins.add(`http://${host}`);
  }
  for (const origin of config.origins) origins.add(origin);
  return {
    prefixes: new Map([...hosts].map((host) => [host, `http://${host}/`])),
    origins,
  };

  function addOwn(host: string, port: number): void {
    if (port === ports.port) {
      hosts.add(`${host}:${port}`);
      if (port === 80) hosts.add(host);
    }
    origins.add(port === 80 ? `http://${host}` : `http://${host}:${port}`);
  }
}

/**
 * All but the key; answers the Origin that must be told so by CORS headers, null where none is
 * needed. Compares raw text: two parsers may read one address differently, two strings are equal or not.
 *
 * Errors: `invalid_request` without Host or with a hostile path; `host_not_allowed`, `origin_not_allowed`.
 */
export function checkAddress(request: Request, rules: GuardRules): string | null {
  const { headers, url } = request;
  const prefix = allowedPrefix(headers.get("host"), url, rules);
  checkPath(url, prefix.length - 1);
  const origin = headers.get("origin");
  if (origin !== null) {
    if (!rules.origins.has(origin)) throw originRefused(origin);
    return prefix.length === origin.length + 1 && prefix.startsWith(origin) ? null : origin;
  }
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none" && !isNavigation(request)) {
    throw originRefused(null);
  }
  return null;
}

async function admitted(
  checking: Promise<void>,
  { request, next }: { request: Request; next: Next },
): Promise<Response | void> {
  try {
    await checking;
  } catch (error) {
    return refuse(request, error);
  }
  await next();
}

function allowedPrefix(host: string | null, url: string, rules: GuardRules): string {
  if (host === null || host === "") {
    throw new AppError("invalid_request", 'Cannot answer a request without a "Host" header');
  }
  const prefix = rules.prefixes.get(host);
  if (prefix !== undefined && url.startsWith(prefix)) return prefix;
  // Off the usual path: other letter case, a foreign host, or a request line with an address of its own.
  const known = prefix ?? rules.prefixes.get(host.toLowerCase());
  if (known === undefined) throw hostRefused(host);
  if (url.slice(0, known.length).toLowerCase() === known) return known;
  const authority = /^[a-z]+:\/\/([^/]*)/i.exec(url)?.[1] ?? "";
  if (!rules.prefixes.has(authority.toLowerCase())) throw hostRefused(authority);
  throw new AppError(
    "invalid_request",
    'Cannot answer: the request line and the "Host" header name different addresses',
  );
}

function checkPath(url: string, start: number): void {
  for (let index = start; index < url.length; index++) {
    switch (url.charCodeAt(index)) {
      case 63: // ?
        return;
      case 35: // #
      case 37: // %
      case 46: // .
      case 92: // \
        if (isHostile(url.slice(start).split("?", 1)[0]!)) {
          throw new AppError(
            "invalid_request",
            'Cannot use this path: it holds "..", "\\", "#" or a control character',
          );
        }
        return;
    }
  }
}

/** Deno hands over the request line as it came, and decoding comes later: nothing may turn into `..`. */
function isHostile(path: string): boolean {
  if (/[\\#]|%5c|%[01][0-9a-f]|%7f/i.test(path)) return true;
  const decoded = path.replace(/%2e/gi, ".").replace(/%2f/gi, "/");
  return decoded.split("/").some((segment) => segment === "." || segment === "..");
}

/** A link that someone followed in the address bar's tab; it shows a page and changes nothing. */
function isNavigation(request: Request): boolean {
  const { method, headers } = request;
  return (method === "GET" || method === "HEAD") &&
    headers.get("sec-fetch-mode") === "navigate" && headers.get("sec-fetch-dest") === "document";
}

/** Answers a page of another origin that may call: the preflight at once, else with CORS headers. */
async function answerOrigin(
  c: Context<GatewayEnv>,
  options: {
    origin: string;
    next: Next;
    checkKey(c: Context<GatewayEnv>): void | Promise<void>;
  },
): Promise<Response | void> {
  const { origin, next, checkKey } = options;
  const request = c.req.raw;
  if (request.method === "OPTIONS" && request.headers.has("access-control-request-method")) {
    return preflight(request, origin);
  }
  try {
    await checkKey(c);
  } catch (error) {
    const refusal = refuse(request, error);
    for (const [name, value] of corsHeaders(origin)) refusal.headers.append(name, value);
    return refusal;
  }
  await next();
  for (const [name, value] of corsHeaders(origin)) {
    c.header(name, value, { append: name === "vary" });
  }
}

function corsHeaders(origin: string): [string, string][] {
  return [
    ["access-control-allow-origin", origin],
    ["access-control-expose-headers", "*"],
    ["vary", "Origin"],
  ];
}

function preflight(request: Request, origin: string): Response {
  const headers = new Headers({
    "access-control-allow-origin": origin,
    "access-control-allow-methods": "GET, HEAD, POST, PUT, DELETE",
    "access-control-max-age": "600",
    "vary": "Origin, Access-Control-Request-Headers",
  });
  const wanted = request.headers.get("access-control-request-headers");
  if (wanted !== null) headers.set("access-control-allow-headers", wanted);
  if (request.headers.get("access-control-request-private-network") === "true") {
    headers.set("access-control-allow-private-network", "true");
  }
  return new Response(null, { status: 204, headers });
}

function refuse(request: Request, error: unknown): Response {
  if (!(error instanceof AppError)) throw error;
  return renderAppError(error, dialectOf(request));
}

function hostRefused(host: string): AppError {
  const shown = host.slice(0, SHOWN_CHARACTERS);
  return new AppError(
    "host_not_allowed",
    `Cannot answer for the host ${
      JSON.stringify(shown)
    }: it is not an address of this server. If it is yours, start the server with it in --allowed-hosts`,
    { values: { host: shown, flag: "--allowed-hosts" } },
  );
}

function originRefused(origin: string | null): AppError {
  const shown = origin?.slice(0, SHOWN_CHARACTERS) ?? null;
  const who = shown === null ? "another site" : `the origin ${JSON.stringify(shown)}`;
  return new AppError(
    "origin_not_allowed",
    `Cannot answer a web page of ${who}. If you trust it, start the server with its exact origin in --origins`,
    { values: { origin: shown, flag: "--origins" } },
  );
}

function hasPort(host: string): boolean {
  return /:\d+$/.test(host) && (!host.startsWith("[") || host.includes("]:"));
}

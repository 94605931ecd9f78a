// Under which addresses another machine finds this page: the server answers to no others.

/** @import { SettingRow } from "../../src/api_types.ts" */

const ALL_ADDRESSES = ["0.0.0.0", "::"];

/**
 * @param {readonly Pick<SettingRow, "name" | "value">[]} settings
 * @param {{ port: number, origin: string, hostname: string }} here Of this page.
 */
export function phoneAddresses(settings, { port, origin, hostname }) {
  const hosts = listOf(settings, "host");
  const isOpen = hosts.some((host) => !isLoopback(host));
  const own = hosts.filter((host) => !ALL_ADDRESSES.includes(host))
    .map((host) => host.includes(":") ? `[${host}]` : host);
  const allowed = listOf(settings, "allowed_hosts");
  // Names come only with a network behind them, or with a proxy in front.
  const named = [...own, ...allowed].filter((host) => !isLoopback(nameOf(host)))
    .map((host) => `http://${/:\d+$/.test(host) ? host : port === 80 ? host : `${host}:${port}`}`);
  const here = isLoopback(hostname.replace(/^\[|\]$/g, "")) ? [] : [origin];
  return { isOpen, addresses: isOpen || here.length > 0 ? [...new Set([...here, ...named])] : [] };
}

/**
 * @param {readonly Pick<SettingRow, "name" | "value">[]} settings
 * @param {string} name
 * @returns {string[]}
 */
function listOf(settings, name) {
  const value = settings.find((row) => row.name === name)?.value;
  return Array.isArray(value) ? value.map(String) : [];
}

/** Without a port and brackets. @param {string} host */
function nameOf(host) {
  return host.startsWith("[") ? host.slice(1, host.indexOf("]")) : host.replace(/:\d+$/, "");
}

/** @param {string} host */
function isLoopback(host) {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

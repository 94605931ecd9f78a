// What a process asked Deno's permissions for, as Deno itself writes it down (`DENO_AUDIT_PERMISSIONS`).

import { dirname } from "node:path";
import type { ServerPermissions } from "../../src/api_types.ts";

export interface Access {
  permission: string;
  /** Path, address, URL or name; null = all of its kind. */
  value: string | null;
}

/** A variable that is read as the last thing before the Worker is made. */
export const AUDIT_MARK = "ZOMBIE_TEST_AUDIT_MARK";

/** Environment of a process that is to be audited. */
export function auditEnv(file: string): Record<string, string> {
  return { DENO_AUDIT_PERMISSIONS: file };
}

export interface Audit {
  /** What the Worker asked for. */
  accesses: Access[];
  /** Addresses of the modules that it was made of, or imported later. */
  modules: string[];
}

/**
 * What came after the mark: first the rights that the Worker was given as such, then its modules, which
 * are loaded with the rights of who makes it, and what it asks for itself.
 */
export function readAudit(file: string): Audit {
  const all: Access[] = Deno.readTextFileSync(file).split("\n").filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  const mark = all.findIndex(({ value }) => value === AUDIT_MARK);
  const first = all.findIndex(({ value }, index) => index > mark && isModule(value));
  if (mark < 0 || first < 0) throw new Error("No Worker was made");
  const accesses = all.slice(first);
  return {
    accesses: accesses.filter(({ value }) => !isModule(value)),
    modules: accesses.flatMap(({ value }) => value !== null && isModule(value) ? [value] : []),
  };
}

function isModule(value: string | null): boolean {
  return value?.startsWith("file:") === true;
}

/** The grants by which this access is allowed. */
export function grantsFor(
  { permission, value }: Access,
  permissions: ServerPermissions,
): string[] {
  if (value === null) return [];
  switch (permission) {
    case "read":
    case "write":
      return permissions[permission].filter((folder) => isIn(value, folder))
        .map((folder) => `${permission} ${folder}`);
    case "net": {
      const address = addressOf(value);
      return permissions.net.filter((granted) => isAddress(address, granted))
        .map((granted) => `net ${granted}`);
    }
    default:
      return [];
  }
}

function isIn(path: string, folder: string): boolean {
  if (path.split("/").includes("..")) return false;
  for (let at = path;; at = dirname(at)) {
    if (at === folder) return true;
    if (dirname(at) === at) return false;
  }
}

function addressOf(value: string): string {
  if (!/^https?:/.test(value)) return value;
  const { hostname, port, protocol } = new URL(value);
  return `${hostname}:${port || (protocol === "http:" ? "80" : "443")}`;
}

function isAddress(address: string, granted: string): boolean {
  return granted.startsWith("*.") ? address.endsWith(granted.slice(1)) : address === granted;
}

// What a request could have changed in a server that runs, to hold before against after.

import { join } from "node:path";
import type { ScopeInfo } from "../../src/api_types.ts";
import { instancesWith } from "./instance_processes.ts";
import { type ServerProcess, until } from "./server_process.ts";
import { OWN_FILES, treeSnapshot } from "./tree_snapshot.ts";

/** Rows without what changes by itself while time passes. */
const VOLATILE = /"(?:expires_at|memory_bytes|leases|queued|last_used|used_at|badge|fit)":/;

/**
 * Files of its folder, models, keys, settings, downloads, all requests that a model answered, and the
 * instances that run.
 */
export async function serverState(
  server: ServerProcess,
  headers: Record<string, string> = {},
): Promise<string[]> {
  await allListed(server, headers);
  const lines = treeSnapshot(join(server.home, ".."), { except: OWN_FILES });
  for (const path of ["models", "keys", "settings", "downloads", "requests"]) {
    const answer = await server.fetch(`/admin/${path}`, { headers });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`GET /admin/${path}: ${answer.status} ${text}`);
    const stable = JSON.stringify(
      JSON.parse(text),
      (name, value) => VOLATILE.test(`"${name}":`) ? undefined : value,
    );
    lines.push(`${path} ${stable}`);
  }
  const instances = instancesWith(join(server.home, ".."));
  return [...lines, `instances ${instances.toSorted().join(" ")}`];
}

/** The built-in model is written, and the cage found, behind the start's back: until then something changes. */
export async function allListed(
  server: ServerProcess,
  headers: Record<string, string> = {},
): Promise<void> {
  await until(async () => {
    const models = await server.json<{ builtin: boolean }[]>("/admin/models", { headers });
    return models.some(({ builtin }) => builtin);
  });
  // It leaves a filter beside the builds.
  await until(async () => {
    const { cage } = await server.json<ScopeInfo>("/admin/scope", { headers });
    return cage.mode === "off" || cage.active !== null || cage.reason !== null;
  });
}

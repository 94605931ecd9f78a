// Imports only point downward, and each capability has one owner: read from the real module graph.

import assert from "node:assert/strict";
import { relative } from "node:path";

const ROOT = new URL("../", import.meta.url);

/** Folder or file of src -> what it may import from. Longest prefix wins. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  // Commands are clients: what starts a server for them is handed to them from here.
  "main.ts": [
    "src/host/serve.ts",
    "src/host/detached_server.ts",
    "src/host/desktop/",
    "src/host/service/",
    "src/cli/",
    "config",
  ],
  "src/cli/": ["src/cli/", "config"],
  "src/host/": ["src/host/", "config"],
  "src/server.ts": [
    "src/gateway/",
    "src/orchestrator/",
    "src/models/",
    "src/hardware/",
    "src/runtime/",
    "src/create_downloads.ts",
    "src/create_hub.ts",
    "src/create_orchestrator.ts",
    "src/host/messages.ts",
    "config",
  ],
  "src/create_downloads.ts": ["src/models/", "config"],
  "src/create_hub.ts": ["src/models/", "config"],
  "src/create_orchestrator.ts": [
    "src/gateway/doors.ts",
    "src/orchestrator/",
    "src/models/",
    "src/hardware/",
    "src/runtime/",
    "src/host/messages.ts",
    "config",
  ],
  "src/gateway/": [
    "src/gateway/",
    "src/orchestrator/",
    "src/models/",
    "src/hardware/",
    "src/runtime/",
    "src/host/messages.ts",
    "config",
  ],
  "src/orchestrator/": [
    "src/orchestrator/",
    "src/models/",
    "src/hardware/",
    "src/runtime/",
    "src/host/messages.ts",
    "config",
  ],
  "src/runtime/": ["src/runtime/", "src/host/messages.ts", "config"],
  "src/models/": ["src/models/", "src/host/messages.ts", "config"],
  "src/hardware/": ["src/hardware/", "src/host/messages.ts", "config"],
  // Files of src itself: settings, errors, log and the nouns they are made of.
  "src/": ["config"],
};

/** Text in the source -> who alone may hold it. */
const OWNERS: Readonly<Record<string, (path: string) => boolean>> = {
  '"@hono/hono': (path) => path.startsWith("src/gateway/"),
  '"node:sqlite"': (path) => /^src\/models\/registry\w*\.ts$/.test(path),
  "new Deno.Command": (path) => path.startsWith("src/host/"),
  "Deno.kill": (path) => path.startsWith("src/host/"),
  '"/proc': (path) => path.startsWith("src/host/"),
  "Deno.env": (path) => path === "src/config.ts",
  "Deno.args": (path) => path === "src/config.ts",
};

interface Module {
  specifier: string;
  dependencies?: {
    specifier: string;
    code?: { specifier: string };
    type?: { specifier: string };
  }[];
}

async function modules(): Promise<Map<string, string[]>> {
  const graph = new Map<string, string[]>();
  // The server is started by its address, so nothing imports it: it is an entry of its own.
  for (const entry of ["main.ts", "src/server.ts"]) {
    const { stdout, success } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", entry],
      cwd: ROOT,
    }).output();
    assert.ok(success);
    const info: { modules: Module[] } = JSON.parse(new TextDecoder().decode(stdout));
    for (const { specifier, dependencies = [] } of info.modules) {
      const path = pathOf(specifier);
      if (path === null) continue;
      const imports = dependencies.flatMap(({ code, type }) => {
        const imported = pathOf(code?.specifier ?? type?.specifier ?? "");
        return imported === null ? [] : [imported];
      });
      graph.set(path, imports);
    }
  }
  return graph;
}

function pathOf(specifier: string): string | null {
  if (!specifier.startsWith(ROOT.href)) return null;
  const path = relative(ROOT.pathname, new URL(specifier).pathname);
  return path.endsWith(".ts") ? path : null;
}

function isCommon(path: string): boolean {
  return /^src\/[^/]+\.ts$/.test(path) &&
    !["src/server.ts", "src/create_orchestrator.ts"].includes(path);
}

function mayImport(from: string, to: string): boolean {
  const prefix = Object.keys(MAY_IMPORT).filter((prefix) => from.startsWith(prefix))
    .sort((a, b) => b.length - a.length)[0];
  assert.ok(prefix !== undefined, `No rule for ${from}`);
  return MAY_IMPORT[prefix]!.some((allowed) =>
    allowed === "config" ? isCommon(to) : to.startsWith(allowed)
  );
}

Deno.test("every import points downward", async () => {
  const wrong: string[] = [];
  for (const [from, imports] of await modules()) {
    for (const to of imports) if (!mayImport(from, to)) wrong.push(`${from} -> ${to}`);
  }
  assert.deepEqual(wrong, []);
});

Deno.test("no module imports itself by a circle", async () => {
  const graph = await modules();
  const done = new Set<string>();
  const circles: string[] = [];
  function walk(path: string, trail: string[]): void {
    if (trail.includes(path)) {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
    }
    if (done.has(path) || trail.includes(path)) return;
    for (const next of graph.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  }
  for (const path of graph.keys()) walk(path, []);
  assert.deepEqual(circles, []);
});

Deno.test("each capability has one owner", async () => {
  const wrong: string[] = [];
  for (const path of (await modules()).keys()) {
    const source = await Deno.readTextFile(new URL(path, ROOT));
    for (const [text, isOwner] of Object.entries(OWNERS)) {
      const code = source.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, "");
      if (code.includes(text) && !isOwner(path)) wrong.push(`${path}: ${text}`);
    }
  }
  assert.deepEqual(wrong, []);
});

// Runs everything that code in the server's place may try, in a process of its own, and looks at what it
// left behind.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { join } from "node:path";
import type { AttemptAnswer, AttemptInput } from "./scope_attempts.ts";
import { tempDir } from "./temp_dir.ts";

/** The flags that `deno task start` runs the program with. */
export function startFlags(): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("../../deno.json", import.meta.url)));
  const flags = /deno run ((?:-\S+ )+)main\.ts/.exec(tasks.start.command)?.[1];
  assert.ok(flags !== undefined, tasks.start.command);
  return flags.trim().split(" ");
}

/** A listener on TCP and UDP that nobody may reach; says who did. */
async function canary() {
  for (let attempt = 1;; attempt++) {
    try {
      return await canaryOnBoth();
    } catch (error) {
      // What is free for TCP may be in use for UDP.
      if ((error as { code?: string }).code !== "EADDRINUSE" || attempt === 20) throw error;
    }
  }
}

async function canaryOnBoth() {
  const seen: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    seen.push(request.url);
    return new Response("export default 1", { headers: { "content-type": "text/javascript" } });
  });
  const { port } = server.addr;
  const datagrams = createSocket("udp4").bind(port, "127.0.0.1");
  try {
    await once(datagrams, "listening");
  } catch (error) {
    datagrams.close();
    await server.shutdown();
    throw error;
  }
  datagrams.on("message", (message) => seen.push(`datagram: ${message}`));
  const close = async () => {
    await Promise.all([server.shutdown(), once(datagrams.close(), "close")]);
  };
  return { port, seen, [Symbol.asyncDispose]: close };
}

export interface Attempted extends AttemptAnswer {
  /** Who came to a listener that nobody may reach. */
  seen: string[];
  /** What the files outside hold afterwards. */
  files: Record<string, string | null>;
  runtimeFiles: string[] | null;
}

/** Runs the attempts; with mode `all` without any scope. */
export async function attempt(mode: "scope" | "all", flags: string[]): Promise<Attempted> {
  await using dir = await tempDir();
  await using tcp = await canary();
  const at = (name: string) => join(dir.path, name);
  for (const name of ["home", "runtime", "sockets", "program", "program/models"]) {
    Deno.mkdirSync(at(name));
  }
  Deno.mkdirSync(at("program/models-more"));
  for (const name of ["models/blob", "models-more/file", "beside"]) {
    Deno.writeTextFileSync(at(`program/${name}`), name);
  }
  Deno.writeTextFileSync(at("secret"), "secret");
  Deno.writeTextFileSync(at("secret.json"), '{"secret":1}');
  Deno.writeTextFileSync(at("secret.js"), "export default 1");
  const answer = (request: Request) =>
    new URL(request.url).pathname === "/redirect"
      ? Response.redirect(`http://127.0.0.1:${tcp.port}/redirected`)
      : new Response("instance");
  const onListen = () => {};
  const place = Deno.serve({ path: at("sockets/00.sock"), onListen }, answer);
  const other = Deno.serve({ path: at("sockets/other.sock"), onListen }, (request) => {
    tcp.seen.push(`other socket: ${request.url}`);
    return new Response("other");
  });
  const foreign = new Deno.Command("/bin/sleep", { args: ["60"] }).spawn();
  const input: AttemptInput = {
    home: at("home"),
    runtimeHome: at("runtime"),
    secret: at("secret"),
    outsideJson: at("secret.json"),
    outsideModule: at("secret.js"),
    canaryPort: tcp.port,
    placePath: at("sockets/00.sock"),
    otherSocketPath: at("sockets/other.sock"),
    importRoot: at("program/models"),
    foreignPid: foreign.pid,
    remote: mode === "scope",
  };
  const probe = new URL("scope_probe.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, "--no-lock", probe, JSON.stringify(input), mode],
    cwd: new URL("../..", import.meta.url),
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const files = Object.fromEntries(
    ["secret", "secret.json", "secret.js", "program/models/blob"].map((
      name,
    ) => [name, read(at(name))]),
  );
  const runtimeFiles = names(at("runtime"));
  await Promise.all([place.shutdown(), other.shutdown()]);
  foreign.kill("SIGKILL");
  await foreign.status;
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const answers: AttemptAnswer = JSON.parse(new TextDecoder().decode(stdout));
  return { ...answers, seen: tcp.seen, files, runtimeFiles };
}

function read(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}

function names(folder: string): string[] | null {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return null;
  }
}

/** Refused for want of a right, not for any other reason. */
export const REFUSALS = [
  /^NotCapable: /,
  /Requires (\w+ )?access/,
  /^Error: getaddrinfo EPERM/,
  /Can't escalate parent thread permissions/,
  /too many attached databases - max 0/,
  // node:dgram has no better word for it.
  /^Error: send UNKNOWN/,
  /--cached-only is specified/,
];

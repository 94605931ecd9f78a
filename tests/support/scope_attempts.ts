// Everything that code in the server's place may try, in a Worker: answers for each attempt what it got
// or why not. No import has a literal name: those are loaded with the parent's rights.

/// <reference lib="deno.worker" />

import { messageOf } from "../../src/errors.ts";

export interface AttemptInput {
  home: string;
  runtimeHome: string;
  /** A file that nobody may see. */
  secret: string;
  /** A JSON file, and a module, outside of all folders. */
  outsideJson: string;
  outsideModule: string;
  /** TCP and UDP port of a listener on loopback that is none of ours. */
  canaryPort: number;
  /** Unix sockets: a place, and one beside it that is none. */
  placePath: string;
  otherSocketPath: string;
  /** A folder of another program, with a `blob` in it and a `beside` next to it. */
  importRoot: string;
  foreignPid: number;
  /** Whether to try what would leave this machine where it is not refused. */
  remote: boolean;
}

export interface AttemptAnswer {
  /** What must work: else a refusal says nothing. */
  own: Record<string, string>;
  escapes: Record<string, string>;
}

/** Begins the answer to an attempt that was not refused. */
export const DONE = "done: ";

type Attempts = Record<string, () => unknown>;

async function importOf(specifier: string, options?: ImportCallOptions): Promise<unknown> {
  return JSON.stringify(await import([specifier].join(""), options));
}

async function node(name: string) {
  return await import([`node:${name}`].join(""));
}

function own({ home, placePath, importRoot }: AttemptInput): Attempts {
  return {
    "read what another program keeps": () =>
      Deno.readTextFileSync(`${importRoot}/blob`) + Deno.realPathSync(`${importRoot}/blob`).length,
    "look into a place that is not there yet": () => {
      try {
        return [...Deno.readDirSync(`${importRoot}/later`)].length;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return "not there";
        throw error;
      }
    },
    async "read and write in the home"() {
      await Deno.writeTextFile(`${home}/own.txt`, "own");
      await Deno.rename(`${home}/own.txt`, `${home}/own2.txt`);
      return await Deno.readTextFile(`${home}/own2.txt`);
    },
    async "open a database in the home"() {
      const { DatabaseSync } = await node("sqlite");
      const database = new DatabaseSync(`${home}/own.db`);
      database.exec("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (a)");
      database.close();
      return "own";
    },
    async "serve on loopback"() {
      const server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen() {} },
        () => new Response("own"),
      );
      await server.shutdown();
      return "own";
    },
    async "ask an instance on its socket"() {
      using connection = await Deno.connect({ transport: "unix", path: placePath });
      await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
      const answer = new Uint8Array(4_096);
      const length = await connection.read(answer);
      return new TextDecoder().decode(answer.subarray(0, length ?? 0));
    },
  };
}

function filesOf(input: AttemptInput): Attempts {
  const { home, runtimeHome, secret, outsideJson, outsideModule, importRoot } = input;
  const through = `${home}/../${secret.slice(secret.lastIndexOf("/"))}`;
  return {
    "read /etc/passwd": () => Deno.readTextFileSync("/etc/passwd"),
    "read a secret": () => Deno.readTextFileSync(secret),
    "read by dots": () => Deno.readTextFileSync(through),
    "read by a file URL": () => Deno.readTextFileSync(new URL(`file://${secret}`)),
    "open": () => Deno.openSync(secret).close(),
    "read by node": async () => (await node("fs")).readFileSync(secret, "utf8"),
    "list a folder": () => [...Deno.readDirSync("/etc")].length,
    "look at a file": () => Deno.statSync(secret).size,
    "look at a link": () => Deno.lstatSync(secret).size,
    "know whether a file exists": () => Deno.realPathSync(secret),
    "read our own memory": () => Deno.readTextFileSync("/proc/self/maps").length,
    "read our own environment": () => Deno.readTextFileSync("/proc/self/environ").length,
    "read a device": () => Deno.openSync("/dev/mem").close(),
    "read the runtime home": () => [...Deno.readDirSync(runtimeHome)].length,
    "read beside another program's folder": () => Deno.readTextFileSync(`${importRoot}/../beside`),
    "list the folder above it": () => [...Deno.readDirSync(`${importRoot}/..`)].length,
    "read a folder that begins like it": () => Deno.readTextFileSync(`${importRoot}-more/file`),
    "write into another program's folder": () => Deno.writeTextFileSync(`${importRoot}/x`, "x"),
    "change what is in it": () => Deno.writeTextFileSync(`${importRoot}/blob`, "x"),
    "link from it into the home": () => Deno.linkSync(`${importRoot}/blob`, `${home}/blob`),
    "remove what is in it": () => Deno.removeSync(`${importRoot}/blob`),
    "take a file out of it": () => Deno.renameSync(`${importRoot}/blob`, `${home}/blob`),
    "write into the runtime home": () => Deno.writeTextFileSync(`${runtimeHome}/x`, "x"),
    "make a folder in the runtime home": () => Deno.mkdirSync(`${runtimeHome}/x`),
    "replace the runtime home": () => Deno.renameSync(runtimeHome, `${home}/moved`),
    "put the home's file there": () =>
      Deno.renameSync(`${home}/own2.txt`, `${runtimeHome}/llama-server`),
    "copy there": () => Deno.copyFileSync(`${home}/own.db`, `${runtimeHome}/llama-server`),
    "copy from outside": () => Deno.copyFileSync(secret, `${home}/copy`),
    "move from outside": () => Deno.renameSync(secret, `${home}/moved`),
    "remove outside": () => Deno.removeSync(secret),
    "write outside": () => Deno.writeTextFileSync(secret, "x"),
    "change rights outside": () => Deno.chmodSync(secret, 0o777),
    "make a temporary file": () => Deno.makeTempFileSync(),
    "make a link out": () => Deno.symlinkSync(secret, `${home}/link`),
    "make a relative link out": () => Deno.symlinkSync("../..", `${home}/link2`),
    "make a link out by node": async () => (await node("fs")).symlinkSync(secret, `${home}/link3`),
    "make a second name of a file outside": () => Deno.linkSync(secret, `${home}/link4`),
    "make a second name outside": () => Deno.linkSync(`${home}/own.db`, `${runtimeHome}/x`),
    "database outside": async () => new (await node("sqlite")).DatabaseSync(`${secret}.db`).close(),
    async "database from another one"() {
      const database = new (await node("sqlite")).DatabaseSync(`${home}/own.db`);
      database.exec(`ATTACH '${secret}.db' AS outside`);
    },
    async "copy of a database outside"() {
      const database = new (await node("sqlite")).DatabaseSync(`${home}/own.db`);
      database.exec(`VACUUM INTO '${secret}.db'`);
    },
    async "native code by a database"() {
      const { DatabaseSync } = await node("sqlite");
      new DatabaseSync(`${home}/own.db`, { allowExtension: true }).loadExtension("/x.so");
    },
    "change the folder": () => Deno.chdir("/"),
    "import a file": () => importOf(`file://${outsideModule}`),
    "import JSON": () => importOf(`file://${outsideJson}`, { with: { type: "json" } }),
    "require": async () =>
      (await node("module")).createRequire(import.meta.url)(outsideJson).secret,
  };
}

function programs(input: AttemptInput): Attempts {
  const { home, foreignPid, outsideJson, outsideModule } = input;
  return {
    "start a program": () => new Deno.Command("/bin/true").outputSync().code,
    "start ourselves": () => new Deno.Command(Deno.execPath(), { args: ["-V"] }).outputSync().code,
    async "start what we wrote"() {
      await Deno.writeTextFile(`${home}/run.sh`, "#!/bin/sh\n", { mode: 0o755 });
      return new Deno.Command(`${home}/run.sh`).outputSync().code;
    },
    "start a program by node": async () =>
      (await node("child_process")).execFileSync("/bin/true").length,
    "signal a process": () => Deno.kill(foreignPid, "SIGCONT"),
    "signal a group": () => Deno.kill(-foreignPid, "SIGCONT"),
    "signal by node": async () => (await node("process")).default.kill(foreignPid, 0),
    "load native code": () => Deno.dlopen("libc.so.6", {}).close(),
    "read a variable": () => Deno.env.get("HOME"),
    "read all variables": () => Object.keys(Deno.env.toObject()).length,
    "set a variable": () => Deno.env.set("LD_PRELOAD", "/x.so"),
    "read a variable by node": async () => (await node("process")).default.env["HOME"],
    "know the machine's name": () => Deno.hostname(),
    "know the machine's addresses": () => Deno.networkInterfaces().length,
    "open the debugger": async () => (await node("inspector")).open(0),
    "start a Worker with more rights": () =>
      worker("Deno.readTextFileSync('/etc/passwd')", { permissions: { read: true } }),
    "start a Worker with our rights": () => worker("Deno.readTextFileSync('/etc/passwd')"),
    "import a file from a Worker": () =>
      worker("(await import('file:///etc/passwd', { with: { type: 'text' } })).default"),
    "import JSON statically in a Worker": () =>
      started(`import found from ${JSON.stringify(`file://${outsideJson}`)} with { type: "json" };
        postMessage({ value: JSON.stringify(found) });`),
    "import a module statically in a Worker": () =>
      started(`import found from ${JSON.stringify(`file://${outsideModule}`)};
        postMessage({ value: String(found) });`),
    async "start what we wrote as a Worker"() {
      await Deno.writeTextFile(
        `${home}/worker.js`,
        `import found from ${JSON.stringify(outsideJson)} with { type: "json" };
        postMessage({ value: JSON.stringify(found) });`,
      );
      return await answerOf(new URL(`file://${home}/worker.js`).href);
    },
    async "start a Worker by node"() {
      const code = `const { parentPort } = require("node:worker_threads");
        try { parentPort.postMessage(require("node:fs").readFileSync("/etc/passwd", "utf8")); }
        catch (error) { parentPort.postMessage({ error: error.message }); }`;
      const { Worker } = await node("worker_threads");
      const started = new Worker(code, { eval: true });
      const answer = await new Promise<string | { error: string }>((resolve) =>
        started.once("message", resolve)
      );
      await started.terminate();
      if (typeof answer === "object") throw new Error(answer.error);
      return answer;
    },
    async "be granted more"() {
      const { state } = await Deno.permissions.request({ name: "read", path: "/etc" });
      if (state !== "granted") throw new Error(`Requires access: it is ${state}`);
    },
  };
}

// A module that answers what the expression gives.
function worker(expression: string, deno?: unknown): Promise<string> {
  const code = `try { postMessage({ value: String(${expression}) }); }
    catch (error) { postMessage({ error: error.message }); }`;
  return started(code, deno);
}

function started(code: string, deno?: unknown): Promise<string> {
  return answerOf(`data:application/javascript,${encodeURIComponent(code)}`, deno);
}

async function answerOf(url: string, deno?: unknown): Promise<string> {
  const started = new Worker(url, { type: "module", deno } as WorkerOptions);
  const { promise, resolve } = Promise.withResolvers<{ value?: string; error?: string }>();
  started.onmessage = (event) => resolve(event.data);
  started.onerror = (event) => {
    event.preventDefault();
    resolve({ error: event.message });
  };
  const { value, error } = await promise;
  started.terminate();
  if (error !== undefined) throw new Error(error);
  return value!;
}

function network(input: AttemptInput): Attempts {
  const { canaryPort, otherSocketPath, placePath, home } = input;
  const url = `http://127.0.0.1:${canaryPort}/`;
  return {
    "connect on loopback": () => Deno.connect({ hostname: "127.0.0.1", port: canaryPort }),
    "connect by name": () => Deno.connect({ hostname: "localhost", port: canaryPort }),
    "connect to port 80": () => Deno.connect({ hostname: "localhost", port: 80 }),
    "connect to every address": () => Deno.connect({ hostname: "0.0.0.0", port: canaryPort }),
    "connect by node": async () => {
      const socket = (await node("net")).connect(canaryPort, "127.0.0.1");
      await (await node("events")).once(socket, "connect");
    },
    "fetch": () => fetch(url),
    "fetch what leads elsewhere": async () => {
      using client = Deno.createHttpClient({ proxy: { transport: "unix", path: placePath } });
      const answer = await fetch("http://instance.invalid/redirect", { client });
      return await answer.text();
    },
    "fetch by a proxy": () =>
      fetch("http://instance.invalid/", { client: Deno.createHttpClient({ proxy: { url } }) }),
    "fetch a file": async () => await (await fetch("file:///etc/passwd")).text(),
    "look up a name": async () => await (await node("dns/promises")).lookup("localhost"),
    "open a WebSocket": async () => {
      const socket = new WebSocket(url.replace("http", "ws"));
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      socket.onopen = () => resolve();
      socket.onerror = (event) => reject(new Error((event as ErrorEvent).message));
      await promise;
    },
    "send a datagram": async () => {
      const socket = (await node("dgram")).createSocket("udp4");
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      socket.on("error", reject);
      const onSent = (error: Error | null) => error === null ? resolve() : reject(error);
      // The server may bind this address: what it may not is send from it.
      socket.bind(0, "127.0.0.1", () => socket.send("x", canaryPort, "127.0.0.1", onSent));
      await promise.finally(() => socket.close());
    },
    "listen on every address": () => Deno.listen({ hostname: "0.0.0.0", port: 0 }),
    "listen on another port": () => Deno.listen({ hostname: "127.0.0.1", port: 45_678 }),
    "connect to another socket": () => Deno.connect({ transport: "unix", path: otherSocketPath }),
    "ask on another socket": () =>
      fetch("http://instance.invalid/", {
        client: Deno.createHttpClient({ proxy: { transport: "unix", path: otherSocketPath } }),
      }),
    "listen on a socket in the home": () =>
      Deno.listen({ transport: "unix", path: `${home}/x.sock` }),
    "import from loopback": () => importOf(`${url}module.js`),
  };
}

function remote(): Attempts {
  return {
    "fetch another machine": () => fetch("http://192.0.2.1/"),
    "ask for a name": () => Deno.resolveDns("canary.invalid", "A"),
    "import from the net": () => importOf("https://canary.invalid/module.js"),
    "import from JSR": () => importOf("jsr:@canary/canary@1"),
    // A name that nobody has: where it is asked for, the answer says so.
    "import from npm": () => importOf("npm:@zombiecoder/no-such-package@1.0.0"),
  };
}

async function answersOf(attempts: Attempts): Promise<Record<string, string>> {
  const answers: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      answers[name] = DONE + String(await attempt()).slice(0, 60);
    } catch (error) {
      answers[name] = `${error instanceof Error ? error.name : ""}: ${messageOf(error)}`;
    }
  }
  return answers;
}

self.addEventListener("message", async ({ data }: MessageEvent<AttemptInput>) => {
  const answer: AttemptAnswer = {
    own: await answersOf(own(data)),
    escapes: await answersOf({
      ...filesOf(data),
      ...programs(data),
      ...network(data),
      ...(data.remote ? remote() : {}),
    }),
  };
  self.postMessage(answer);
});

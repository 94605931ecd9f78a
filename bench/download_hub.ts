// What a download asks of the Hub, answered for one large file; its bytes come from an nginx, so that
// the sender is not what is measured.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { ask } from "./chat.ts";
import { Child } from "./child.ts";
import { freePort } from "./contenders/contender.ts";
import type { Tool } from "./tools.ts";
import { waitUntil } from "./waiting.ts";

export interface HubFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface DownloadHub extends AsyncDisposable {
  /** For `HF_ENDPOINT`. */
  readonly endpoint: string;
  /** For `ZOMBIE_DOWNLOAD_HOSTS`. */
  readonly downloadHost: string;
  /** Where the bytes of a file are. */
  urlOf(name: string): string;
}

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const REPO = "bench/repo";
const START_TIMEOUT_MS = 10_000;

/** `files` lie in `folder` under their names. */
export async function startDownloadHub(
  files: readonly HubFile[],
  { nginx, folder }: { nginx: Tool; folder: string },
): Promise<DownloadHub> {
  const port = freePort();
  const config = join(folder, "nginx.conf");
  await mkdir(folder, { recursive: true });
  await writeFile(config, configuration(port, folder));
  const child = new Child(nginx.path, {
    args: ["-p", folder, "-c", config, "-e", join(folder, "error.log")],
    env: nginx.env,
    read: true,
  });
  const downloadHost = `127.0.0.1:${port}`;
  await waitUntil(async () => {
    if (child.ended) throw child.failure("start nginx");
    return await ask(`http://${downloadHost}/nothing`).then(() => true, () => false);
  }, { timeoutMs: START_TIMEOUT_MS, everyMs: 20, what: "nginx" });
  const urlOf = (name: string) => `http://${downloadHost}/${name}`;
  const hub = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => answer(new URL(request.url).pathname, files, urlOf),
  );
  return {
    endpoint: `http://127.0.0.1:${hub.addr.port}`,
    downloadHost,
    urlOf,
    async [Symbol.asyncDispose]() {
      await hub.shutdown();
      await child[Symbol.asyncDispose]();
    },
  };
}

function answer(path: string, files: readonly HubFile[], urlOf: (name: string) => string) {
  if (path.startsWith(`/api/models/${REPO}/revision/`)) {
    return Response.json({ id: REPO, sha: COMMIT, gated: false, tags: ["gguf"] });
  }
  if (path.startsWith(`/api/models/${REPO}/tree/`)) {
    return Response.json(files.map(({ name, sizeBytes, sha256 }) => ({
      type: "file",
      path: name,
      size: sizeBytes,
      oid: "0".repeat(40),
      lfs: { oid: sha256, size: sizeBytes, pointerSize: 135 },
    })));
  }
  const file = files.find(({ name }) => path === `/${REPO}/resolve/${COMMIT}/${name}`);
  if (file === undefined) return new Response("nothing here", { status: 404 });
  const headers = {
    "x-repo-commit": COMMIT,
    "x-linked-size": `${file.sizeBytes}`,
    "x-linked-etag": `"${file.sha256}"`,
    location: urlOf(file.name),
  };
  return new Response(null, { status: 302, headers });
}

function configuration(port: number, folder: string): string {
  // Started by root, its workers would be nobody's, who may not enter the run's folder.
  return `${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
worker_processes 1;
pid nginx.pid;
events { worker_connections 64; }
http {
  access_log off;
  sendfile on;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen 127.0.0.1:${port};
    root ${folder};
  }
}
`;
}

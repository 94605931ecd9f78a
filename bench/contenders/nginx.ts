// nginx in front of a llama-server of its own: what a gateway costs that looks at nothing.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { Child } from "../child.ts";
import { freePort } from "./contender.ts";
import type { Contender, Running, StartOptions } from "./contender.ts";
import { startWithModel, untilHealthy } from "./direct.ts";

export const nginx: Contender = { name: "nginx", start: startNginx, coldAnswer: null };

async function startNginx(options: StartOptions): Promise<Running> {
  if (options.nginx === null) throw new Error("Cannot start nginx: it was not looked for");
  const { folder } = options;
  const upstream = await startWithModel(options.models.tiny, options);
  try {
    const port = freePort();
    const configFile = join(folder, "nginx.conf");
    await mkdir(folder, { recursive: true });
    await writeFile(configFile, configuration(port, new URL(upstream.url).host));
    const child = new Child(options.nginx.path, {
      args: ["-p", folder, "-c", configFile, "-e", join(folder, "error.log")],
      env: options.nginx.env,
      read: true,
    });
    const url = `http://127.0.0.1:${port}`;
    const readyMs = await untilHealthy(child, url);
    return {
      url,
      readyMs,
      pid: child.pid,
      isGateway: true,
      dropsStreams: false,
      instancesPid: upstream.pid,
      setUp: null,
      unload: null,
      async [Symbol.asyncDispose]() {
        await child[Symbol.asyncDispose]();
        await upstream[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await upstream[Symbol.asyncDispose]();
    throw error;
  }
}

function configuration(port: number, upstream: string): string {
  // Started by root, its workers would be nobody's, who may not enter the run's folder.
  return `${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
worker_processes auto;
pid nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_requests 1000000000;
  client_max_body_size 64m;
  upstream llama {
    server ${upstream};
    keepalive 64;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://llama;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`;
}

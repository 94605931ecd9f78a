// A download of 2 GB, checked and in its place, against what `curl` and then `sha256sum` need for the
// same bytes from the same server.

import { link, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DownloadRow } from "../src/api_types.ts";
import { layOutGguf } from "../src/models/gguf_writer.ts";
import { ask } from "./chat.ts";
import { Child } from "./child.ts";
import { freePort } from "./contenders/contender.ts";
import { type DownloadHub, type HubFile, startDownloadHub } from "./download_hub.ts";
import { printProgress } from "./print.ts";
import { gatewayMemoryMb } from "./process_tree.ts";
import type { Sample } from "./rows.ts";
import type { Tool } from "./tools.ts";
import { pause, waitUntil } from "./waiting.ts";

export interface DownloadOptions {
  readonly rounds: number;
  /** The run's own folder. */
  readonly folder: string;
  readonly llamaServer: string;
  readonly nginx: Tool;
}

const FILE_BYTES = 2_000_000_000;
const BLOCK_BYTES = 16 * 1024 * 1024;
const MOST_ROUNDS = 5;
/** Until the server has done with its start. */
const IDLE_MS = 3_000;
const LOOK_MS = 20;
const TIMEOUT_MS = 300_000;

export async function measureDownloads(options: DownloadOptions): Promise<Sample[]> {
  const rounds = Math.min(options.rounds, MOST_ROUNDS);
  const served = join(options.folder, "served");
  const samples: Sample[] = [];
  await Deno.mkdir(served, { recursive: true });
  printProgress("download: a file of 2 GB is written");
  const files = await writeFiles(served, rounds);
  await using hub = await startDownloadHub(files, { nginx: options.nginx, folder: served });
  await using server = await startServer(hub, options);
  for (let round = 1; round <= rounds; round++) {
    const file = files[round - 1]!;
    // Nobody is always first, on a machine that has just rested.
    for (
      const contender of round % 2 === 1 ? ["direct", "ours"] as const : ["ours", "direct"] as const
    ) {
      const measured = contender === "ours"
        ? await measureOurs(server, file)
        : { seconds: await measureTools(hub, file, options.folder) };
      for (const [name, value] of Object.entries(measured)) {
        samples.push({ figure: FIGURES[name]!, contender, round, value });
      }
      printProgress(`round ${round} download ${contender}: ${JSON.stringify(measured)}`);
      await settle();
    }
  }
  return samples;
}

const FIGURES: Readonly<Record<string, string>> = {
  seconds: "download 2 GB s",
  extraMb: "download memory MB",
};

/** One file under several names: a model that is there is not downloaded again. */
async function writeFiles(folder: string, count: number): Promise<HubFile[]> {
  const first = join(folder, "model-1.gguf");
  const { header } = layOutGguf({
    metadata: { "general.architecture": { string: "llama" } },
    tensors: [{ name: "token_embd.weight", dimensions: [FILE_BYTES / 4 - 1_000] }],
  });
  {
    await using file = await open(first, "w");
    const block = new Uint8Array(BLOCK_BYTES);
    for (let at = 0; at < FILE_BYTES; at += BLOCK_BYTES) {
      for (let from = 0; from < BLOCK_BYTES; from += 65_536) {
        if (at === 0) crypto.getRandomValues(block.subarray(from, from + 65_536));
        // No two blocks are the same.
        block[from] = at / BLOCK_BYTES;
      }
      if (at === 0) block.set(header);
      await file.write(block, 0, Math.min(BLOCK_BYTES, FILE_BYTES - at));
    }
    // Its writing back to the disk must not fall into a measurement.
    await file.sync();
  }
  const sha256 = (await run("sha256sum", [first])).slice(0, 64);
  const names = Array.from({ length: count }, (_, index) => `model-${index + 1}.gguf`);
  for (const name of names.slice(1)) await link(first, join(folder, name));
  return names.map((name) => ({ name, sizeBytes: FILE_BYTES, sha256 }));
}

async function measureTools(hub: DownloadHub, file: HubFile, folder: string): Promise<number> {
  const path = join(folder, "by-curl.gguf");
  const startedAt = performance.now();
  await run("curl", [
    "--silent",
    "--fail",
    "--noproxy",
    "*",
    "--output",
    path,
    hub.urlOf(file.name),
  ]);
  const found = await run("sha256sum", [path]);
  const seconds = (performance.now() - startedAt) / 1_000;
  if (!found.startsWith(file.sha256)) throw new Error(`curl brought ${found}`);
  await rm(path);
  return seconds;
}

interface RunningServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  readonly home: string;
}

async function startServer(hub: DownloadHub, options: DownloadOptions): Promise<RunningServer> {
  const folder = join(options.folder, "download");
  const home = join(folder, "home");
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const main = join(import.meta.dirname ?? ".", "..", "main.ts");
  const child = new Child(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-prompt", "--quiet", "--cached-only", "--no-code-cache", main, "serve"],
      ...["--host", "127.0.0.1", "--port", `${freePort()}`, "--no-open"],
      ...["--home", home, "--runtime-home", join(folder, "runtime")],
      ...["--llama-server", options.llamaServer],
    ],
    env: {
      DENO_NO_UPDATE_CHECK: "1",
      XDG_RUNTIME_DIR: folder,
      HF_ENDPOINT: hub.endpoint,
      ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost,
    },
    cwd: join(main, ".."),
    read: true,
  });
  const line = await child.line(/^ZombieCoder is ready at /, TIMEOUT_MS);
  await pause(IDLE_MS);
  return {
    url: line.slice(line.lastIndexOf(" ") + 1),
    pid: child.pid,
    home,
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

async function measureOurs(server: RunningServer, file: HubFile) {
  const before = gatewayMemoryMb(server.pid);
  let peak = before;
  const startedAt = performance.now();
  const answer = await ask(`${server.url}/admin/downloads`, {
    method: "POST",
    json: { repo: "bench/repo", file: file.name },
  });
  if (answer.status !== 201) throw new Error(`Cannot download: ${answer.body}`);
  const { id }: DownloadRow = JSON.parse(answer.body);
  await waitUntil(async () => {
    peak = Math.max(peak, gatewayMemoryMb(server.pid));
    const row: DownloadRow = JSON.parse((await ask(`${server.url}/admin/downloads/${id}`)).body);
    if (row.state === "failed") throw new Error(JSON.stringify(row.error));
    return row.state === "done";
  }, { timeoutMs: TIMEOUT_MS, everyMs: LOOK_MS, what: "the download" });
  const seconds = (performance.now() - startedAt) / 1_000;
  await rm(join(server.home, file.name));
  return { seconds, extraMb: peak - before };
}

/** What one has left to be written must not weigh on the next. */
async function settle(): Promise<void> {
  await run("sync", []);
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  if (code === 0) return new TextDecoder().decode(stdout);
  throw new Error(`${program} ended with ${code}: ${new TextDecoder().decode(stderr)}`);
}

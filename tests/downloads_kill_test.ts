import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { DownloadRow, ModelRow } from "../src/api_types.ts";
import { DownloadChaos } from "./support/download_chaos.ts";
import { TestHub } from "./support/hub.ts";
import type { HubContent } from "./support/hub_content.ts";
import { modelContent } from "./support/model_content.ts";
import { delay } from "./support/moments.ts";
import { Random } from "./support/random.ts";
import { type ServerProcess, startServer } from "./support/server_process.ts";
import { soakCount } from "./support/soak.ts";
import { tempDir } from "./support/temp_dir.ts";
import { writtenRanges } from "./support/written_ranges.ts";

const FILE_BYTES = 64_000_000;
const LANES = 4;
const LIMIT_MS = 120_000;
const PATH = "/admin/downloads";
const TOKEN = "hf_never_at_the_second_host";

interface Killed {
  id: string;
  file: string;
  content: HubContent;
}

/** A home whose server is killed again and again, and what is seen of it meanwhile. */
class Lane implements AsyncDisposable {
  readonly hub: TestHub;
  readonly home: string;
  /** Files whose bytes were looked at since they have their name. */
  readonly seen = new Set<string>();
  #server: ServerProcess;
  kills = 0;

  private constructor(hub: TestHub, home: string, server: ServerProcess) {
    this.hub = hub;
    this.home = home;
    this.#server = server;
  }

  static async start(hub: TestHub, home: string): Promise<Lane> {
    // Longer than all lanes together keep this thread, the stand-in's, from sending.
    Deno.writeTextFileSync(join(home, "config.json"), '{"download_stall": "8s"}');
    return new Lane(hub, home, await startIn(hub, home));
  }

  async add(file: string): Promise<string> {
    const answer = await this.#server.post(PATH, { repo: "org/repo", file });
    assert.equal(answer.status, 201, await answer.clone().text());
    return (await answer.json()).id;
  }

  row(id: string): Promise<DownloadRow> {
    return this.#server.json<DownloadRow>(`${PATH}/${id}`);
  }

  models(): Promise<ModelRow[]> {
    return this.#server.json<ModelRow[]>("/admin/models");
  }

  async cancel(id: string): Promise<void> {
    await (await this.#server.fetch(`${PATH}/${id}`, { method: "DELETE" })).body?.cancel();
  }

  /** kill -9 between two instructions, and a new start. */
  async kill(chaos: DownloadChaos, { id, file, content }: Killed): Promise<void> {
    const server = this.#server;
    server.kill("SIGKILL");
    await server[Symbol.asyncDispose]();
    await this.hub.settled();
    // Under its own name since the last moment of it.
    const partial = writtenRanges(join(this.home, "downloads", id, "00.partial"), content);
    chaos.noteDeath(partial.length > 0 ? partial : writtenRanges(join(this.home, file), content));
    this.kills++;
    this.#server = await startIn(this.hub, this.home);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

function startIn(hub: TestHub, home: string): Promise<ServerProcess> {
  const env = {
    HF_ENDPOINT: hub.endpoint,
    HF_TOKEN: TOKEN,
    ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost,
  };
  return startServer({ home, env });
}

Deno.test("Through cut, stalled, refused and wrong answers and kill -9 every file is right, and no byte comes twice that was written", async () => {
  const count = soakCount(200);
  let next = 0;
  const totals = { kills: 0, spoilt: 0 };
  await Promise.all(Array.from({ length: LANES }, async () => {
    await using dir = await tempDir();
    await using hub = await TestHub.start();
    hub.addToken(TOKEN);
    await using lane = await Lane.start(hub, dir.path);
    while (next < count) {
      const number = next++;
      totals.spoilt += Number(await download(lane, number));
    }
    totals.kills += lane.kills;
    for (const { headers, query } of hub.cdnRequests) {
      assert.ok(!JSON.stringify([headers, [...query]]).includes(TOKEN));
    }
    assert.ok(hub.requests.some(({ token }) => token === TOKEN));
    assert.deepEqual([...Deno.readDirSync(join(dir.path, "downloads"))], []);
  }));
  // Or nothing of it was tried.
  assert.ok(totals.kills >= count / 2, `${totals.kills} kills`);
});

/** One of them from its beginning to its end. Whether its checksum was wrong on the way. */
async function download(lane: Lane, number: number): Promise<boolean> {
  const random = new Random(number + 1);
  const file = `model-${number}.gguf`;
  const content = modelContent(number, FILE_BYTES);
  lane.hub.add("org/repo", { files: { [file]: content } });
  const chaos = new DownloadChaos(lane.hub, { random, file, content });
  lane.hub.fault = (request) => chaos.fault(request);
  const path = join(lane.home, file);
  const id = await lane.add(file);
  let kills = random.below(4);
  let killAtMs = performance.now() + random.below(2_000);
  const startedMs = performance.now();
  let most = 0;
  let state = "";
  for (;;) {
    const row = await lane.row(id);
    const where = `number ${number}: ${JSON.stringify(row)}`;
    if (!chaos.isSpoilt) assert.ok(row.bytes_done >= most, `${where} after ${most}`);
    most = row.bytes_done;
    state = row.state;
    assert.notEqual(state, "failed", where);
    assertOffered(await lane.models(), { path, content, seen: lane.seen });
    if (state === "done") break;
    assert.ok(performance.now() - startedMs < LIMIT_MS, where);
    // Also in the short time between the last byte and the end.
    const isLate = row.bytes_done === FILE_BYTES && random.chance(0.5);
    if (kills > 0 && (performance.now() > killAtMs || isLate)) {
      kills--;
      await lane.kill(chaos, { id, file, content });
      killAtMs = performance.now() + random.below(1_500);
    }
    await delay(50);
  }
  assert.equal(sha256(path), content.sha256, `number ${number}`);
  const excess = chaos.excessBytes;
  if (excess !== null) {
    assert.ok(
      excess <= 0,
      `number ${number}: ${excess} bytes too many\n${chaos}\n${logOf(lane.home)}`,
    );
  }
  await lane.cancel(id);
  Deno.removeSync(path);
  return chaos.isSpoilt;
}

/** A file that has the name is the whole file; a model that is offered can be used. */
function assertOffered(
  models: ModelRow[],
  { path, content, seen }: { path: string; content: HubContent; seen: Set<string> },
): void {
  const name = path.slice(path.lastIndexOf("/") + 1);
  let isThere = true;
  try {
    Deno.lstatSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    isThere = false;
  }
  if (isThere && !seen.has(path)) {
    assert.equal(sha256(path), content.sha256, `${name} is not whole`);
    seen.add(path);
  }
  for (const model of models.filter(({ builtin }) => !builtin)) {
    assert.equal(`${model.id}.gguf`, name);
    assert.ok(isThere && model.error === null, JSON.stringify(model));
    assert.equal(model.size_bytes, content.sizeBytes);
  }
}

function sha256(path: string): string {
  return createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
}

function logOf(home: string): string {
  const folder = join(home, "logs");
  const texts = [...Deno.readDirSync(folder)].map(({ name }) =>
    Deno.readTextFileSync(join(folder, name))
  );
  return texts.join("").split("\n").slice(-20).join("\n");
}

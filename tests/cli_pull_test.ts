import assert from "node:assert/strict";
import { join } from "node:path";
import type { DownloadList, DownloadRow, HubRepo } from "../src/api_types.ts";
import { cli, cliEnv } from "./support/cli.ts";
import { isContent } from "./support/download_home.ts";
import { TestHub } from "./support/hub.ts";
import { ggufContent, textContent } from "./support/hub_content.ts";
import { modelContent } from "./support/model_content.ts";
import { type FormatName, layOutLlama, LLAMA_TINY } from "./support/remote_models.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { startTerminal } from "./support/terminal.ts";

const MIB = 1024 ** 2;

function start(hub: TestHub): Promise<ServerProcess> {
  const env = { HF_ENDPOINT: hub.endpoint, ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost };
  return startServer({ env });
}

function tiny(format: FormatName) {
  return ggufContent(layOutLlama(LLAMA_TINY, { format })[0]!);
}

async function downloads(server: ServerProcess): Promise<DownloadRow[]> {
  return (await server.json<DownloadList>("/admin/downloads")).downloads;
}

Deno.test("pull draws a bar, Ctrl-C leaves the download going, and pull again watches its end", async () => {
  await using hub = await TestHub.start();
  const content = modelContent(1, 24 * MIB);
  hub.add("org/repo", { files: { "model-Q4_0.gguf": content } });
  // It lasts longer than all that is looked at while it runs; then it shall not.
  let speed = MIB / 8;
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: () => speed } : null;
  await using server = await start(hub);
  await using terminal = await startTerminal({ columns: 110, env: cliEnv(server) });

  await terminal.enter("zombiecoder pull hf.co/org/repo:q4_0; echo over $?");
  const bar =
    /^model-Q4_0 {2}█*[▏▎▍▌▋▊▉]?░+ +(\d+) % {2}[\d.]+ [kM]B of 25\.2 MB {2}[\d.]+ [kM]B\/s {2}(?:\d+ min ?)?(?:\d+ s )?left$/m;
  const first = bar.exec(await terminal.see(bar))!;
  await until(
    async () => Number(bar.exec(await terminal.screen())?.[1] ?? 0) > Number(first[1]),
    30_000,
  );
  await terminal.press("C-c");
  const screen = await terminal.see(/over 0\n\$\s*$/);
  const [row] = await downloads(server);
  assert.equal(row!.state, "downloading");
  assert.match(
    screen,
    new RegExp(
      "model-Q4_0 is downloaded further in the background\\. zombiecoder pull " +
        `hf\\.co/org/repo:q4_0 shows it again, zombiecoder pull ${row!.id} --cancel ends it\n`,
    ),
  );
  // Nothing of the bar is left.
  assert.doesNotMatch(screen, /█/);

  speed = 64 * MIB;
  await terminal.clear();
  await terminal.enter("zombiecoder pull hf.co/org/repo:q4_0; echo done $?");
  await terminal.see(/Downloaded model-Q4_0 \(25\.2 MB\), checked by its SHA-256\ndone 0/, 60_000);
  assert.ok(isContent(join(server.home, "model-Q4_0.gguf"), content));
  await terminal.enter("zombiecoder pull org/repo model-Q4_0.gguf; echo again $?");
  await terminal.see(/model-Q4_0 is installed already\nagain 0/);
});

Deno.test("pull --cancel ends a download by any of its names, and removes what came", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", { files: { "model-Q4_0.gguf": modelContent(1, 24 * MIB) } });
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: MIB } : null;
  await using server = await start(hub);
  const env = cliEnv(server);
  for (const words of [["hf.co/org/repo:Q4_0"], ["model-Q4_0"], ["org/repo", "model-Q4_0.gguf"]]) {
    await server.post("/admin/downloads", { repo: "org/repo", file: "model-Q4_0.gguf" })
      .then((answer) => answer.body!.cancel());
    await until(async () => (await downloads(server))[0]?.model === "model-Q4_0");
    const listed = await cli(["pull"], { env });
    assert.deepEqual([listed.code, listed.stderr], [0, ""]);
    assert.match(listed.stdout, /^model-Q4_0: .+ of 25\.2 MB, (queued|downloading)\n$/);
    const { code, stdout, stderr } = await cli(["pull", ...words, "--cancel"], { env });
    assert.deepEqual([code, stdout, stderr], [0, "Cancelled model-Q4_0\n", ""]);
    assert.deepEqual(await downloads(server), []);
  }
  const { code, stderr } = await cli(["pull", "model-Q4_0", "--cancel"], { env });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^Cannot cancel "model-Q4_0": no such download\. zombiecoder pull lists them\n$/,
  );
});

Deno.test("pull tells a program what happens in JSON lines, and who reads a pipe in plain ones", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", {
    files: { "one.gguf": modelContent(1, 4 * MIB), "two.gguf": modelContent(2, 4 * MIB) },
  });
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 4 * MIB } : null;
  await using server = await start(hub);
  const env = cliEnv(server);
  const json = await cli(["pull", "org/repo", "one.gguf", "--json"], { env });
  assert.deepEqual([json.code, json.stderr], [0, ""]);
  const rows = json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line) as DownloadRow);
  assert.equal(rows.at(-1)!.state, "done");
  const done = rows.map((row) => row.bytes_done);
  assert.deepEqual(done, done.toSorted((a, b) => a - b));

  const plain = await cli(["pull", "org/repo", "two.gguf"], { env });
  assert.deepEqual([plain.code, plain.stdout], [
    0,
    "Downloaded two (4.2 MB), checked by its SHA-256\n",
  ]);
  assert.match(plain.stderr, /^two(\.gguf)?: .+\n/);
  for (const control of ["\r", "\x1b"]) assert.ok(!plain.stderr.includes(control));
});

Deno.test("pull says what is wrong with a name, and what there is instead", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", {
    files: { "m-Q4_0.gguf": modelContent(1, MIB), "m-Q8_0.gguf": modelContent(2, MIB) },
  });
  hub.add("org/empty", { files: { "README.md": textContent("nothing") } });
  hub.add("org/gated", { gated: "manual", files: { "m-Q4_0.gguf": modelContent(3, MIB) } });
  await using server = await start(hub);
  const env = cliEnv(server);
  const table: [words: string[], code: number, message: RegExp][] = [
    [["hf.co/org/repo:Q5_K_M"], 1, /^Cannot find "Q5_K_M" in "org\/repo"\. There is Q4_0, Q8_0\n$/],
    [
      ["org/repo", "other.gguf"],
      1,
      /^Cannot find "other\.gguf" in "org\/repo"\. There is Q4_0, Q8_0\n$/,
    ],
    [["hf.co/org/none"], 1, /^Cannot get "org\/none" from the Hub: .+\n$/],
    [["org/empty"], 1, /^Cannot find a model in "org\/empty"\. .+\n$/],
    [["ph1-3-mini"], 1, /^Cannot find "ph1-3-mini" in the catalogue\. Did you mean "phi-3-mini"/],
    [["xyzzyx"], 1, /^Cannot find "xyzzyx" in the catalogue\. Take any other model as hf\.co/],
    [
      ["no repo", "file"],
      2,
      /^Cannot use "no repo" as a repository: write zombiecoder pull ORG\/REPO FILE\n$/,
    ],
    [["--cancel"], 2, /^Cannot tell what to cancel/],
  ];
  for (const [words, code, message] of table) {
    const got = await cli(["pull", ...words], { env });
    assert.equal(got.code, code, `${words.join(" ")}: ${got.stderr}`);
    assert.match(got.stderr, message);
    assert.equal(got.stdout, "");
  }
  const gated = await cli(["pull", "org/gated"], { env });
  assert.equal(gated.code, 1);
  assert.match(gated.stderr, /HF_TOKEN/);
});

Deno.test("search shows each quantization with its fit, and every other repository by name", async () => {
  await using hub = await TestHub.start();
  for (let index = 0; index < 6; index++) {
    hub.add(`org/tiny-${index}`, {
      downloads: 1_000 - index,
      license: "mit",
      files: {
        "tiny-F16.gguf": tiny("F16"),
        "tiny-Q8_0.gguf": tiny("Q8_0"),
      },
    });
  }
  await using server = await start(hub);
  const env = cliEnv(server);
  const { code, stdout, stderr } = await cli(["search", "tiny"], { env });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^org\/tiny-0 {2}1k downloads\n.*mit\nQUANTIZATION +SIZE +FIT +WHY\n/);
  assert.match(stdout, /^Q8_0 +[\d.]+ [kMG]B +(Recommended|Compatible|Not recommended) +\S.*$/m);
  assert.match(stdout, /^F16 +/m);
  assert.match(stdout, /\nAlso found\n {2}org\/tiny-4 .+\n {2}org\/tiny-5 .+\n$/);
  const one = await cli(["search", "org/tiny-3", "--json"], { env });
  const repo = JSON.parse(one.stdout) as HubRepo;
  assert.deepEqual([repo.repo, repo.models.length], ["org/tiny-3", 2]);
  const none = await cli(["search", "nothing", "like", "this"], { env });
  assert.deepEqual([none.code, none.stdout], [0, ""]);
  assert.match(none.stderr, /^Nothing was found/);
});

Deno.test("pull asks before it fetches what does not fit, and needs --yes where nobody can be asked", async () => {
  await using hub = await TestHub.start();
  const shape = {
    ...LLAMA_TINY,
    layers: 80,
    embedding: 65_536,
    feedForward: 262_144,
    heads: 512,
    kvHeads: 512,
  };
  hub.add("org/huge", {
    files: { "huge-F16.gguf": ggufContent(layOutLlama(shape, { format: "F16" })[0]!) },
  });
  await using server = await start(hub);
  const env = cliEnv(server);
  const refused = await cli(["pull", "org/huge"], { env });
  assert.equal(refused.code, 2);
  assert.match(
    refused.stderr,
    /^huge-F16 is not recommended here\. Needs [^]+\nCannot ask .+Add --yes to pull\n$/,
  );
  await using terminal = await startTerminal({ columns: 150, env });
  await terminal.enter("zombiecoder pull org/huge; echo over $?");
  await terminal.see(/Download its [\d.]+ TB nevertheless\? \[y\/N\]\s*$/);
  await terminal.press("Enter");
  await terminal.see(/over 0/);
  assert.deepEqual(await downloads(server), []);
});

// Whoever a user is called: from an empty home of that name, all that is kept there works.

import assert from "node:assert/strict";
import { join } from "node:path";
import type {
  DownloadList,
  ImportList,
  ModelRow,
  SettingRow,
  SystemInfo,
} from "../src/api_types.ts";
import { buildTestModel, HELLO_SENTENCE } from "../src/models/hello_model.ts";
import { told } from "./support/cli.ts";
import { TestHub } from "./support/hub.ts";
import { bytesContent } from "./support/hub_content.ts";
import { put, putOllama } from "./support/other_programs.ts";
import { instancesWith } from "./support/instance_processes.ts";
import { until } from "./support/server_process.ts";
import { userHome } from "./support/user_home.ts";

const NAMES = [
  "ব্যবহারকারী",
  `O'Brien ও "তার" $HOME %s;& #1 \\`,
  // Too long for a socket below it.
  "একটি খুব লম্বা নামের ব্যবহারকারী যার নাম শেষ হয় না",
];

for (const name of NAMES) {
  Deno.test(`A user called ${name} asks, downloads, imports, configures and reads logs`, async () => {
    await using hub = await TestHub.start();
    hub.add("org/repo", {
      files: { "fetched.gguf": bytesContent(buildTestModel({ name: "f", sentence: "Fetched." })) },
    });
    await using user = await userHome(name);
    const folder = join(user.outside, `আরও ${name}`, "মডেল");
    const model = buildTestModel({ name: "own", sentence: "My own." });
    put(join(folder, "আমার মডেল.gguf"), model);
    const ollama = join(user.path, ".ollama", "models");
    const blob = putOllama(ollama, "registry.ollama.ai/library/tiny/1b", {
      model: buildTestModel({ name: "tiny", sentence: "In place." }),
    });
    const env = {
      ...user.env,
      ZOMBIE_MODELS_DIRS: folder,
      HF_ENDPOINT: hub.endpoint,
      ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost,
    };
    const zombiecoder = (...args: string[]) => told(args, { env });

    assert.equal(await zombiecoder("run", "hello", "hi"), `${HELLO_SENTENCE}\n`);
    const { address } = JSON.parse(Deno.readTextFileSync(join(user.home, "run", "server.json")));
    async function api<T>(path: string, body?: unknown, method = "POST"): Promise<T> {
      const answer = await fetch(`${address}${path}`, {
        ...body !== undefined && {
          method,
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        },
      });
      const text = await answer.text();
      assert.ok(answer.ok, `${path}: ${text}`);
      return JSON.parse(text);
    }
    const { runtime } = await api<SystemInfo>("/admin/system");
    assert.equal(runtime.source, user.env.ZOMBIE_LLAMA_SERVER === undefined ? "installed" : "flag");
    // It was given the path as it is.
    assert.equal(instancesWith(join(user.home, "builtin")).length, 1);

    assert.equal(await zombiecoder("run", "আমার মডেল", "hi"), "My own.\n");

    await zombiecoder("pull", "--yes", "org/repo", "fetched.gguf");
    const { downloads } = await api<DownloadList>("/admin/downloads");
    assert.deepEqual(downloads.map(({ state }) => state), ["done"]);
    assert.ok(Deno.statSync(join(user.home, "fetched.gguf")).isFile);
    assert.equal(await zombiecoder("run", "fetched", "hi"), "Fetched.\n");

    const found = await api<ImportList>("/admin/import");
    assert.ok(found.models.some(({ path }) => path === blob), JSON.stringify(found));
    await zombiecoder("import", blob);
    assert.equal(await zombiecoder("run", "tiny-1b", "hi"), "In place.\n");

    await api("/admin/settings", { keep_alive: "42m" }, "PUT");
    const settings = JSON.parse(await zombiecoder("config", "--json")) as SettingRow[];
    const valueOf = (name: string) => settings.find((row) => row.name === name)?.value;
    assert.deepEqual(
      [valueOf("home"), valueOf("models_dirs"), valueOf("keep_alive")],
      [user.home, [folder], "42m"],
    );

    assert.match(await zombiecoder("logs"), /./);
    assert.match(await zombiecoder("logs", "fetched"), /./);
    assert.ok(Deno.statSync(join(user.home, "logs", "zombiecoder.log")).size > 0);
    assert.match(await zombiecoder("doctor"), /Everything that is needed works\n$/);

    // Their models are there again, and what was started for them has gone.
    await zombiecoder("stop", "--server");
    await until(() => instancesWith(user.outside).length === 0);
    const rows = JSON.parse(await zombiecoder("list", "--json")) as ModelRow[];
    assert.deepEqual(
      rows.map(({ id }) => id).sort(),
      ["fetched", "hello", "tiny-1b", "আমার মডেল"].sort(),
    );
  });
}

import assert from "node:assert/strict";
import { join } from "node:path";
import { DownloadHome, isContent } from "./support/download_home.ts";
import { TestHub } from "./support/hub.ts";
import { seededContent } from "./support/hub_content.ts";

const MIB = 1024 ** 2;

Deno.test("A download is the file, byte by byte, under its own name", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 20 * MIB + 12_345);
  hub.add("org/repo", { files: { "sub/model-Q4_K_M.gguf": content } });
  await using home = await DownloadHome.open(hub);
  const { id } = home.add("sub/model-Q4_K_M.gguf");
  const row = await home.reach(id, "done");
  assert.equal(row.model, "model-Q4_K_M");
  assert.equal(row.bytes_done, content.sizeBytes);
  assert.ok(isContent(join(home.path, "model-Q4_K_M.gguf"), content));
  assert.equal(hub.cdnRequests.reduce((sum, each) => sum + each.sentBytes, 0), content.sizeBytes);
});

import assert from "node:assert/strict";
import jsqr from "jsqr";
import type { KeyRow } from "../../src/api_types.ts";
import type { ConnectAnswer } from "../../src/api_types.ts";
import { KEY_PLACE, TOOLS } from "../../src/connect_tools.ts";
import { phoneAddresses } from "../../static/views/connect_addresses.js";
import { qrCode } from "../../static/views/connect_qr.js";
import { assertAccessible, LOOKS } from "../support/accessible.ts";
import { type OpenPage, openPage } from "../support/browser.ts";
import { startServer, until } from "../support/server_process.ts";

const KEY = "a-long-secret-of-this-test-0123456789";
const PHONE = { host: "0.0.0.0", flags: ["--allowed-hosts", "phone.lan"] };

Deno.test("Connect gives each program its text, with the page's address and the chosen model", async () => {
  await using server = await startServer();
  await server.post("/api/copy", { source: "hello", destination: "second" });
  await using open = await openPage({ server, path: "#/connect" });
  const { page } = open;
  await page.getByText("No key is needed").waitFor();
  await page.getByLabel("Model", { exact: true }).selectOption("hello");
  const connection = { address: server.url, model: "hello", needsKey: false };
  for (const { name, title, text } of TOOLS) {
    await page.getByRole("tab", { name: title, exact: true }).click();
    await page.locator(`[data-tool="${name}"]`).waitFor();
    assert.equal(await page.locator("[role=tabpanel] pre").textContent(), text(connection));
  }
  await page.getByRole("tab", { name: "curl" }).press("Home");
  await page.locator('[data-tool="continue"]').waitFor();
  await page.getByText("Only this computer can reach this server").waitFor();
  assert.equal(await page.locator(".connect-qr").count(), 0);
});

Deno.test("Connect shows a phone's address as a QR code, and puts a new key for answers into the texts", async () => {
  await using server = await startServer({ ...PHONE, env: { ZOMBIE_API_KEY: KEY } });
  await using open = await openPage({ server, path: "#/connect", key: KEY });
  const { page } = open;
  assert.equal(await scanned(open), `http://phone.lan:${server.port}`);
  await page.getByRole("tab", { name: "curl" }).click();
  const text = page.locator('[data-tool="curl"] pre');
  assert.match(await text.innerText(), /"Authorization: Bearer \$ZOMBIE_API_KEY"/);
  await page.getByRole("button", { name: "Make a new key" }).click();
  await page.getByText("It is shown this one time").waitFor();
  const made = await page.getByLabel("Key", { exact: true }).inputValue();
  assert.ok((await text.innerText()).includes(`"Authorization: Bearer ${made}"`));
  // Whatever a key holds, it is one word of a shell, and one text of a program.
  const odd = 'a"b$HOME`id`\\c';
  await page.getByLabel("Key", { exact: true }).fill(odd);
  const command = (await text.innerText()).replace(/^curl/, "printf '%s\\n'");
  const said = await new Deno.Command("bash", { args: ["-c", command] }).output();
  assert.ok(new TextDecoder().decode(said.stdout).includes(`Authorization: Bearer ${odd}\n`));
  await page.getByRole("tab", { name: "OpenAI (Python)" }).click();
  const python = await page.locator('[data-tool="openai"] pre').innerText();
  assert.ok(python.includes(`api_key=${JSON.stringify(odd)}`), python);
  await page.getByRole("tab", { name: "curl" }).click();
  await page.getByRole("button", { name: "Make a new key" }).click();
  await until(async () => {
    const value = await page.getByLabel("Key", { exact: true }).inputValue();
    return value !== made && value !== odd;
  });

  const headers = { authorization: `Bearer ${made}` };
  const models = await server.fetch("/v1/models", { headers });
  assert.equal(models.status, 200, await models.text());
  const keys = await server.fetch("/admin/keys", { headers });
  assert.equal(keys.status, 403, await keys.text());
  const rows = await server.json<KeyRow[]>("/admin/keys", {
    headers: { authorization: `Bearer ${KEY}` },
  });
  const names = rows.filter(({ source }) => source === "made").map(({ name }) => name);
  assert.deepEqual(names.sort(), ["Program", "Program 2"]);
  await page.getByRole("tab", { name: "Ollama's command line" }).click();
  await page.getByText("Ollama's command line cannot send a key").waitFor();
});

Deno.test("axe finds nothing on Connect, in both languages and themes, wide and narrow", async () => {
  await using server = await startServer({ ...PHONE, env: { ZOMBIE_API_KEY: KEY } });
  for (const look of LOOKS) {
    await using open = await openPage({ server, path: "#/connect", key: KEY, ...look });
    await open.page.locator(".connect-qr").waitFor();
    await open.page.locator(".connect-key").waitFor();
    await assertAccessible(open, "connect");
  }
});

Deno.test("/admin/connect names the address that was asked, a model, and the place of a key", async () => {
  await using server = await startServer({ env: { ZOMBIE_API_KEY: KEY } });
  const headers = { authorization: `Bearer ${KEY}` };
  const answer = await server.json<ConnectAnswer>("/admin/connect", { headers });
  const { address, model, needs_key, key_place } = answer;
  assert.deepEqual(
    { address, model, needs_key, key_place },
    { address: server.url, model: "hello", needs_key: true, key_place: KEY_PLACE },
  );
  for (const { name, text, sends_key } of answer.tools) {
    assert.equal(text.includes(KEY_PLACE), sends_key, name);
    assert.ok(text.includes(server.url), name);
  }
  const unknown = await server.fetch("/admin/connect?model=helo", { headers });
  assert.equal(unknown.status, 404, await unknown.text());
  const stranger = await server.fetch("/admin/connect");
  assert.equal(stranger.status, 401, await stranger.text());
});

Deno.test("qrCode() is read back as it was written, in each of its sizes", () => {
  const longest = 180;
  for (let length = 1; length <= longest; length += 6) {
    const text = `http://192.168.1.20:8001/#/বাংলা-${"aZ9-_.".repeat(40)}`.slice(0, length);
    const rows = qrCode(text);
    if (new TextEncoder().encode(text).length > longest) assert.equal(rows, null);
    else assert.equal(readQr(rows!), text);
  }
  assert.equal(qrCode("x".repeat(longest))?.length, 53);
  assert.equal(qrCode("x".repeat(longest + 1)), null);
});

Deno.test("phoneAddresses() names the addresses that the server answers to, and none that only this computer has", () => {
  const here = { port: 8001, origin: "http://127.0.0.1:8001", hostname: "127.0.0.1" };
  const at = (host: string[], allowed: string[] = [], page = here) =>
    phoneAddresses(
      [{ name: "host", value: host }, { name: "allowed_hosts", value: allowed }],
      page,
    );
  assert.deepEqual(at(["127.0.0.1", "::1"]), { isOpen: false, addresses: [] });
  assert.deepEqual(at(["127.0.0.1"], ["pc.lan"]), { isOpen: false, addresses: [] });
  assert.deepEqual(at(["0.0.0.0"]), { isOpen: true, addresses: [] });
  assert.deepEqual(at(["0.0.0.0"], ["pc.lan", "localhost", "192.168.1.2:8001"]), {
    isOpen: true,
    addresses: ["http://pc.lan:8001", "http://192.168.1.2:8001"],
  });
  assert.deepEqual(at(["192.168.1.2", "fd00::1"]), {
    isOpen: true,
    addresses: ["http://192.168.1.2:8001", "http://[fd00::1]:8001"],
  });
  const phone = { port: 8001, origin: "http://pc.lan:8001", hostname: "pc.lan" };
  assert.deepEqual(at(["0.0.0.0"], ["192.168.1.2", "pc.lan"], phone).addresses, [
    "http://pc.lan:8001",
    "http://192.168.1.2:8001",
  ]);
});

/** What a camera makes of the code on the page. */
async function scanned({ page }: OpenPage): Promise<string | undefined> {
  const picture = page.locator(".connect-qr");
  const size = Number((await picture.getAttribute("viewBox"))!.split(" ")[2]);
  const path = (await picture.locator(".connect-qr-dark").getAttribute("d"))!;
  const rows = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  for (const [, x, y] of path.matchAll(/M(\d+) (\d+)h1v1h-1z/g)) rows[Number(y)]![Number(x)] = true;
  return readQr(rows, 0);
}

function readQr(rows: boolean[][], border = 4): string | undefined {
  const scale = 4;
  const size = (rows.length + border * 2) * scale;
  const pixels = new Uint8ClampedArray(size * size * 4).fill(255);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const isDark = rows[Math.floor(y / scale) - border]?.[Math.floor(x / scale) - border];
      if (isDark) pixels.fill(0, (y * size + x) * 4, (y * size + x) * 4 + 3);
    }
  }
  // Its types are of a module that is all default.
  const read = jsqr as unknown as (data: Uint8ClampedArray, width: number, height: number) => {
    data: string;
  } | null;
  return read(pixels, size, size)?.data;
}

import assert from "node:assert/strict";
import type { KeyRow, NewKeyRow } from "../src/api_types.ts";
import { assertOneLine, cli, cliEnv } from "./support/cli.ts";
import { startServer } from "./support/server_process.ts";

const KEY = "0123456789abcdef0123";

Deno.test("A wrong key, or none, is one line that says where it is given", async () => {
  await using server = await startServer({ env: { ZOMBIE_API_KEY: KEY } });
  const env = cliEnv(server);
  for (const args of [["list"], ["run", "hello", "hi"], ["keys"], ["stop", "--all"]]) {
    const got = await cli(args, { env });
    assert.equal(got.code, 1, args.join(" "));
    assertOneLine(got, args.join(" "));
    assert.match(
      got.stderr,
      /without its API key\. Give it with --api-key-file FILE or in ZOMBIE_API_KEY\n$/,
    );
  }
  // Few: after some wrong ones the server looks at none for a while.
  const wrong = { ...env, ZOMBIE_API_KEY: `${KEY}x` };
  for (const args of [["list"], ["run", "hello", "hi"]]) {
    const got = await cli(args, { env: wrong });
    assert.equal(got.code, 1, args.join(" "));
    assertOneLine(got, args.join(" "));
    assert.match(
      got.stderr,
      /it does not know this API key\. Correct --api-key-file or ZOMBIE_API_KEY\n$/,
    );
    assert.ok(!got.stderr.includes(KEY));
  }
  const doctor = await cli(["doctor"], { env });
  assert.equal(doctor.code, 1);
  assert.match(
    doctor.stdout,
    /^broken .+ without its API key\n +Give it with --api-key-file FILE/m,
  );
});

Deno.test("keys makes, lists and revokes keys, and connect says when one is wanted", async () => {
  await using server = await startServer({ env: { ZOMBIE_API_KEY: KEY } });
  const env = { ...cliEnv(server), ZOMBIE_API_KEY: KEY };
  const made = await cli(["keys", "add", "editor"], { env });
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stderr, /^Made the key editor \(use, ID \w+\)\. It is shown this once:\n$/);
  const secret = made.stdout.trim();
  assert.match(secret, /^zc_[\w-]{40,}$/);
  const answer = await server.fetch("/v1/models", { headers: { "x-api-key": secret } });
  assert.equal(answer.status, 200);
  await answer.body!.cancel();
  const admin = await cli(["keys", "add", "me", "--scope=admin", "--json"], { env });
  assert.equal((JSON.parse(admin.stdout) as NewKeyRow).scope, "admin");
  const listed = await cli(["keys", "--json"], { env });
  const rows = JSON.parse(listed.stdout) as KeyRow[];
  assert.deepEqual(rows.map(({ name }) => name).slice(1), ["editor", "me"]);
  const again = await cli(["keys", "add", "editor"], { env });
  assert.equal(again.code, 1);
  assertOneLine(again, "a name that is taken");
  // A key for answers is told what it cannot do.
  const small = await cli(["list"], { env: { ...env, ZOMBIE_API_KEY: secret } });
  assert.equal(small.code, 1);
  assertOneLine(small, "a key of a smaller scope");
  const connect = await cli(["connect", "claude-code"], { env });
  assert.match(connect.stdout, /ANTHROPIC_AUTH_TOKEN="\$ZOMBIE_API_KEY"/);
  assert.match(connect.stderr, /^This server wants a key/);
  assert.ok(!connect.stdout.includes(KEY));
  for (const who of ["editor", rows[2]!.id]) {
    const gone = await cli(["keys", "revoke", who], { env });
    assert.equal(gone.code, 0, gone.stderr);
  }
  const missing = await cli(["keys", "revoke", "editor"], { env });
  assert.equal(missing.code, 1);
  assertOneLine(missing, "a key that is not there");
});

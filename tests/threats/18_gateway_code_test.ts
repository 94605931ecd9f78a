// Code in our own server that asks for more than it: a dependency that was taken over. What it asks for is
// refused, Deno's audit has it, and the gate (`audit_test.ts`) would fail of it.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import type { ScopeInfo } from "../../src/api_types.ts";
import { HELLO_SENTENCE } from "../../src/models/hello_model.ts";
import { auditedServer } from "../support/audited_server.ts";
import { NOSY } from "../support/nosy_server.ts";
import { grantsFor, readAudit } from "../support/permission_audit.ts";
import { attempt, REFUSALS, startFlags } from "../support/scope_attempted.ts";
import { until } from "../support/server_process.ts";
import { tempDir } from "../support/temp_dir.ts";
import { threatName } from "./rows.ts";

Deno.test(
  threatName(18, "it gets none of it, the server goes on, and the audit sees each question"),
  async () => {
    await using dir = await tempDir();
    const audit = join(dir.path, "audit.jsonl");
    let scope: ScopeInfo;
    let answers: Record<string, string>;
    {
      await using audited = await auditedServer({
        dir: dir.path,
        auditFile: audit,
        serverUrl: import.meta.resolve("../support/nosy_server.ts"),
      });
      const { server } = audited;
      scope = await server.json<ScopeInfo>("/admin/scope");
      const path = join(server.home, "nosy.json");
      answers = await until(() => {
        try {
          return JSON.parse(Deno.readTextFileSync(path));
        } catch {
          // Not yet, or not whole.
          return null;
        }
      });
      const answer = await server.post("/generate", { model_id: "hello", prompt: "hi" });
      equal((await answer.json()).response, HELLO_SENTENCE);
    }
    deepEqual(Object.keys(answers), Object.keys(NOSY));
    for (const [name, answer] of Object.entries(answers)) match(answer, /^NotCapable: /, name);
    const outside = readAudit(audit).accesses.filter((access) =>
      grantsFor(access, scope.permissions).length === 0
    );
    // Starts of programs are not in it (Deno 2.9.6): that the server has none is layers_test.ts's.
    deepEqual(
      new Set(outside.map(({ permission, value }) => `${permission} ${value}`)),
      new Set([
        ...["read /etc/passwd", "write /tmp/zombiecoder-nosy", "env HOME"],
        ...["net 127.0.0.1:9", "sys hostname"],
      ]),
    );
  },
);

Deno.test(
  threatName(18, "every way to a file, a program, a host or the runtime home is refused"),
  async () => {
    const { own, escapes, seen, files, runtimeFiles } = await attempt("scope", startFlags());
    ok(
      Object.keys(own).length >= 5 && Object.values(own).every((answer) => /^done: /.test(answer)),
    );
    ok(Object.keys(escapes).length >= 81);
    deepEqual(
      Object.entries(escapes).filter(([, answer]) => !REFUSALS.some((each) => each.test(answer))),
      [],
    );
    deepEqual([seen, runtimeFiles, files["secret"]], [[], [], "secret"]);
  },
);

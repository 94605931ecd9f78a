// `deno task test`: gets what the tests need, runs them all, ends with a line `N passed, N failed`.
// No llama-server means that the run fails: nothing is skipped.

import { testRuntime } from "./support/llama_server.ts";

const COUNTS = /(\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed/;

const GATE_LIMIT_MS = 25 * 60_000;
const SOAK_LIMIT_MS = 120 * 60_000;

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

async function main(): Promise<number> {
  print(`Tests use ${await testRuntime()}\n`);
  const files = Deno.args.length > 0 ? Deno.args : ["tests"];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--quiet", "--trace-leaks", ...files],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    env: { NO_COLOR: "1" },
  }).spawn();
  // A test that hangs must fail the run, not hold it for ever.
  const limit = setTimeout(() => {
    print("The tests took too long and were ended\n");
    child.kill("SIGKILL");
  }, Deno.env.get("ZOMBIE_SOAK") ? SOAK_LIMIT_MS : GATE_LIMIT_MS);
  let tail = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    Deno.stdout.writeSync(chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4_096);
  }
  const { code } = await child.status;
  clearTimeout(limit);
  const counts = COUNTS.exec(tail);
  if (counts === null) {
    print("0 passed, 1 failed\n");
    return 1;
  }
  const failed = Math.max(Number(counts[2]), code === 0 ? 0 : 1);
  print(`${counts[1]} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

Deno.exit(await main());

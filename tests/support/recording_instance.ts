// The program behind `recording_server.ts`, started by the host as a llama-server would be. It answers
// every request in the shape of a chat and ends with its stdin, as the real one does.

const [record, gate, progress, ...args] = Deno.args as [string, string, string, ...string[]];

function valueOf(flag: string): string {
  return args[args.indexOf(flag) + 1]!;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function answer(request: Request): Promise<Response> {
  const path = new URL(request.url).pathname;
  if (path === "/health") return Response.json({ status: "ok" });
  const line = JSON.stringify({
    method: request.method,
    path,
    headers: Object.fromEntries(request.headers),
    body: (await request.bytes()).toBase64(),
  });
  Deno.writeTextFileSync(record, `${line}\n`, { append: true });
  return Response.json({
    choices: [{ index: 0, message: { role: "assistant", content: "seen" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  });
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

const payload = { stages: ["text_model"], current: "text_model", value: Number(progress) };
say(`cmd_child_to_router:state:${JSON.stringify({ state: "loading", payload })}`);
while (!await isThere(gate)) await new Promise((resolve) => setTimeout(resolve, 10));
const place = valueOf("--host");
Deno.serve({ path: place, onListen: () => say(`listening on unix://${place}`) }, answer);
say('cmd_child_to_router:state:{"state":"ready","payload":{}}');
for await (const _bytes of Deno.stdin.readable);
Deno.exit(0);

// The program behind `scripted_answers.ts`, started by the host as a llama-server would be: it answers
// what ends with a number with that text of its file, in pieces, and ends with its stdin.

const [file, ...args] = Deno.args as [string, ...string[]];
const texts: string[] = JSON.parse(Deno.readTextFileSync(file));
const PIECE = 37;

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

interface Asked {
  messages?: { content: string }[];
}

async function answer(request: Request): Promise<Response> {
  if (new URL(request.url).pathname === "/health") return Response.json({ status: "ok" });
  const { messages = [] }: Asked = await request.json();
  const number = /\d+$/.exec(messages.at(-1)?.content ?? "")?.[0];
  const text = texts[Number(number)] ?? "";
  const events: unknown[] = [];
  const add = (delta: unknown, end: string | null = null) =>
    events.push({ choices: [{ index: 0, delta, finish_reason: end }] });
  // What it thinks is shown, too.
  add({ role: "assistant", reasoning_content: text });
  for (let at = 0; at < text.length; at += PIECE) add({ content: text.slice(at, at + PIECE) });
  add({}, "stop");
  const lines = [...events.map((event) => JSON.stringify(event)), "[DONE]"];
  return new Response(lines.map((line) => `data: ${line}\n\n`).join(""), {
    headers: { "content-type": "text/event-stream" },
  });
}

const place = args[args.indexOf("--host") + 1]!;
Deno.serve({ path: place, onListen: () => say(`listening on unix://${place}`) }, answer);
say('cmd_child_to_router:state:{"state":"ready","payload":{}}');
for await (const _bytes of Deno.stdin.readable);
Deno.exit(0);

// Server-sent events, read as they come.

export type ServerStreamEvent = { event: string; data: string } | { comment: string };

export async function* streamEvents(
  texts: AsyncIterable<string>,
): AsyncGenerator<ServerStreamEvent> {
  let rest = "";
  let event = "message";
  let data: string[] = [];
  for await (const text of texts) {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) yield { event, data: data.join("\n") };
        event = "message";
        data = [];
      } else if (line.startsWith(":")) {
        yield { comment: line.slice(1).trimStart() };
      } else {
        const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line)!;
        if (name === "data") data.push(value!);
        else if (name === "event") event = value!;
      }
    }
  }
}

import assert from "node:assert/strict";
import { netWords } from "../src/net_words.ts";

function doors(host: string): string[] {
  return Array.from({ length: 21 }, (_, index) => `${host}:${8_080 + index}`);
}

Deno.test("netWords() says a long list of addresses in few words", () => {
  const own = (host: string) => [`${host}:8001`, `${host}:0`, ...doors(host)];
  const sockets = Array.from({ length: 64 }, (_, index) => `/run/z/${index}.sock`);
  assert.deepEqual(
    netWords([
      ...own("127.0.0.1"),
      ...own("[::1]"),
      ...sockets.map((path) => `unix:${path}`),
      ...["hf.co:443", "*.hf.co:443", "mirror.example:80"],
    ]),
    {
      sockets,
      groups: [
        { hosts: ["127.0.0.1", "::1"], ports: "8001, 8080 to 8100 and any free one" },
        { hosts: ["hf.co", "*.hf.co"], ports: "443" },
        { hosts: ["mirror.example"], ports: "80" },
      ],
    },
  );
});

Deno.test("netWords() counts ports that nobody chose, and keeps ranges", () => {
  const free = Array.from({ length: 64 }, (_, index) => `127.0.0.1:${40_000 + index * 3}`);
  const [group] = netWords(["127.0.0.1:8001", ...doors("127.0.0.1"), ...free]).groups;
  assert.equal(group!.ports, "8080 to 8100 and 65 others");
  assert.deepEqual(netWords(["a:1", "a:2", "a:4"]).groups, [{ hosts: ["a"], ports: "1, 2 and 4" }]);
  assert.deepEqual(netWords([]), { sockets: [], groups: [] });
});

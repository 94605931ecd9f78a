// A stand-in for llama-server that writes down what reaches it, to see what the gateway passes on of
// sound and images: no test model hears or sees. What is asked of a build is answered by the real one.

import { join } from "node:path";
import { writeStandIn } from "./stand_in.ts";

export interface RecordedRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  /** In base64. */
  body: string;
}

export interface RecordingServer {
  /** For `--llama-server`. */
  readonly path: string;
  /** What came so far, but for questions after its health. */
  requests(): Promise<RecordedRequest[]>;
  /** With `holdAt`: lets it get ready. */
  release(): Promise<void>;
}

export interface RecordingServerOptions {
  /** Says that it is so far with loading, 0 to 1, and stays there until `release()`. */
  holdAt?: number;
}

export async function writeRecordingServer(
  dir: string,
  { holdAt }: RecordingServerOptions = {},
): Promise<RecordingServer> {
  const path = join(dir, "llama-server");
  const record = join(dir, "requests.jsonl");
  const gate = join(dir, "go");
  await Deno.writeTextFile(record, "");
  if (holdAt === undefined) await Deno.writeTextFile(gate, "");
  await writeStandIn(path, {
    program: "./recording_instance.ts",
    args: [record, gate, String(holdAt ?? 1)],
  });
  return {
    path,
    async requests() {
      const lines = (await Deno.readTextFile(record)).trim().split("\n");
      return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
    },
    release: () => Deno.writeTextFile(gate, ""),
  };
}

export function bodyOf({ body }: RecordedRequest): Uint8Array {
  return Uint8Array.fromBase64(body);
}

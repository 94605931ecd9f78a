// What another process sees of the instances in registry.db, from moment to moment.

import { join } from "node:path";

export interface SeenInstance {
  model_id: string;
  status: string;
  door: number | null;
  pid: number | null;
  last_activity: string | null;
}

export interface RegistryWatch extends AsyncDisposable {
  /** All rows as they are now. */
  read(): Promise<SeenInstance[]>;
  /** Reads again and again until the promise settles; the rows of one model that differ, in order. */
  follow(model: string, until: Promise<unknown>): Promise<SeenInstance[]>;
}

export function watchRegistry(home: string): RegistryWatch {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", "--cached-only"],
      new URL("./registry_reader.ts", import.meta.url).pathname,
      join(home, "registry.db"),
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const newline = new TextEncoder().encode("\n");
  let text = "";
  async function read(): Promise<SeenInstance[]> {
    await writer.write(newline);
    while (!text.includes("\n")) {
      const { done, value } = await reader.read();
      if (done) throw new Error("The reader of registry.db ended");
      text += value;
    }
    const end = text.indexOf("\n");
    const rows: SeenInstance[] = JSON.parse(text.slice(0, end));
    text = text.slice(end + 1);
    return rows;
  }
  async function follow(model: string, until: Promise<unknown>): Promise<SeenInstance[]> {
    const seen: SeenInstance[] = [];
    let ended = false;
    until.then(() => ended = true, () => ended = true);
    do {
      const row = (await read()).find(({ model_id }) => model_id === model);
      if (row !== undefined && JSON.stringify(row) !== JSON.stringify(seen.at(-1))) seen.push(row);
    } while (!ended);
    return seen;
  }
  return {
    read,
    follow,
    async [Symbol.asyncDispose]() {
      await writer.close();
      while (!(await reader.read()).done);
      await child.status;
    },
  };
}

// What a real llama-server (build 11669) printed, both streams in the order they came; paths are
// replaced.

export async function fixtureLines(name: string): Promise<string[]> {
  const url = new URL(`../fixtures/llama_log/${name}.txt`, import.meta.url);
  return (await Deno.readTextFile(url)).trimEnd().split("\n");
}

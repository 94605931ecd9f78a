// The bench's two ways out: the report on stdout, what is going on right now on stderr.

const encoder = new TextEncoder();

/** Writes one line of the report. */
export function print(line = ""): void {
  writeAll(Deno.stdout, `${line}\n`);
}

/** Says what is being measured, so that nobody stares at a silent terminal. */
export function printProgress(line: string): void {
  writeAll(Deno.stderr, `${line}\n`);
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
}

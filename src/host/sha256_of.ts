// SHA-256 of a file on this disk, as 64 hex digits.

/** Up to here a file is read whole: the system's own hash needs no library. */
const WHOLE_BYTES = 16 * 1024 * 1024;

export async function sha256Of(path: string): Promise<string> {
  using file = await Deno.open(path, { read: true });
  if ((await file.stat()).size <= WHOLE_BYTES) {
    const bytes = await new Response(file.readable).arrayBuffer();
    return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  }
  // Some megabytes of library, that only large files need.
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  for await (const bytes of file.readable) hash.update(bytes);
  return hash.digest("hex");
}

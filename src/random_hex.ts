// Random names and tokens, without loading a crypto library for them.

/** `byteCount` random bytes as hex digits, two for each. */
export function randomHex(byteCount: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(byteCount));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// How much room a disk has.

/** What an ordinary user may still write there; null where the system does not say. */
export async function freeDiskBytes(path: string): Promise<number | null> {
  // Seven megabytes of library: loaded when someone first looks.
  const { statfs } = await import("node:fs/promises");
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch {
    return null;
  }
}

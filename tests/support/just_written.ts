// Starts of programs that this process wrote a moment ago.

/**
 * What `start` answers, which is called again while the system says that its file is open for writing:
 * tests of other files start processes from other threads, and each has our open files until its own
 * program is in its place.
 */
export async function startWritten<T>(start: () => T): Promise<Awaited<T>> {
  for (let tries = 1;; tries++) {
    try {
      return await start();
    } catch (error) {
      if (tries === 500 || !String(error).includes("os error 26")) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

// A process with all that it started: its group has its number as long as one of it lives.

export function signalGroup(process: Deno.ChildProcess, signal: Deno.Signal): void {
  if (Deno.build.os !== "windows") {
    try {
      Deno.kill(-process.pid, signal);
    } catch (error) {
      const { NotCapable, NotFound, PermissionDenied } = Deno.errors;
      // macOS refuses a group that has only ended processes left; with narrow flags Deno refuses all.
      const isRefusal = error instanceof PermissionDenied || error instanceof NotCapable;
      if (!(error instanceof NotFound || isRefusal)) throw error;
    }
  }
  // It may not have its group yet.
  signalProcess(process, signal);
}

export function signalProcess(process: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    process.kill(signal);
  } catch (error) {
    // It ended between the decision and the signal.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

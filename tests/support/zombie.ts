// A process that has ended and waits for its parent, which never asks for it.

import { until } from "./server_process.ts";

/** A shell that says its child's number and becomes another program: for `/bin/sh -c`. */
export const PARENT_SCRIPT = "sleep 600 & echo $!; exec sleep 600";

/** Ends the child of that script, not before its parent is the other program: a shell would ask for it. */
export async function endChild(child: number, parent: number): Promise<void> {
  await until(() => Deno.readTextFileSync(`/proc/${parent}/comm`) === "sleep\n", 30_000);
  Deno.kill(child, "SIGKILL");
}

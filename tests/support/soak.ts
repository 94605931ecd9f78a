// How often tests repeat what has to be right every time.

/** All of it in `deno task soak`, a tenth in the gate. */
export function soakCount(full: number): number {
  return Deno.env.get("ZOMBIE_SOAK") ? full : Math.ceil(full / 10);
}

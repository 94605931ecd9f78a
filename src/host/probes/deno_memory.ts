// What Deno itself tells of the memory; unknown where narrow flags refuse it.

import type { MemoryInfo } from "../../api_types.ts";

export function denoMemory(): MemoryInfo {
  try {
    const { total, available } = Deno.systemMemoryInfo();
    return { total_bytes: total, available_bytes: available };
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      return { total_bytes: null, available_bytes: null };
    }
    throw error;
  }
}

// What one load needs and what there is for it, as the orchestrator decides over it.

import type { Placement } from "./placement.ts";

/** Bytes; null = unknown. */
export interface LoadPlan {
  placement: Placement;
  budgetBytes: number | null;
  availableBytes: number | null;
}

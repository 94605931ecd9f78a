// Who counts what the orchestrator does. Nothing waits for it.

export interface LoadResult {
  result: "loaded" | "failed" | "cancelled";
  /** Since its turn came. */
  ms: number;
}

export interface OrchestratorObserver {
  loadEnded(modelId: string, result: LoadResult): void;
  /** Unloaded for another model. */
  evicted(modelId: string): void;
  /** Its process ended by itself. */
  crashed(modelId: string): void;
}

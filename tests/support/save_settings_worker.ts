// Saves settings inside a Worker, so that a test can give that Worker the server's permissions.

/// <reference lib="deno.worker" />

import { saveSettings } from "../../src/config_file.ts";
import { messageOf } from "../../src/errors.ts";

export interface SaveRequest {
  home: string;
  changes: unknown;
  /** A file that the Worker must not be able to read. */
  forbidden: string;
}

export interface SaveAnswer {
  saved: unknown;
  /** What the attempt to read `forbidden` was refused with. */
  refusal: string | null;
}

self.onmessage = async ({ data }: MessageEvent<SaveRequest>) => {
  let refusal: string | null = null;
  try {
    Deno.readTextFileSync(data.forbidden);
  } catch (error) {
    refusal = error instanceof Error ? error.name : messageOf(error);
  }
  const answer: SaveAnswer = { saved: await saveSettings(data.home, data.changes), refusal };
  self.postMessage(answer);
};

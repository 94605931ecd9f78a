// A model file for the stand-in: a right header, and bytes of which no two places have the same, so
// that one that is written to a wrong place shows.

import { layOutGguf } from "../../src/models/gguf_writer.ts";
import { bytesContent, type HubContent, seededContent } from "./hub_content.ts";

export function modelContent(seed: number, sizeBytes: number): HubContent {
  const seeded = seededContent(seed, sizeBytes);
  const bytes = seeded.read(0, sizeBytes);
  const floats = Math.floor(sizeBytes / 4) - 1024;
  const { header } = layOutGguf({
    metadata: {
      "general.architecture": { string: "llama" },
      "general.name": { string: `model ${seed}` },
      "llama.context_length": { u32: 2048 },
      "llama.block_count": { u32: 1 },
      "llama.embedding_length": { u32: 64 },
      "llama.attention.head_count": { u32: 4 },
    },
    tensors: [{ name: "token_embd.weight", dimensions: [floats] }],
  });
  bytes.set(header);
  return bytesContent(bytes);
}

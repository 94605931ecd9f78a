// What a GGUF file can be used for, told from its header alone. Whether a projector lies beside it
// and adds sight or hearing is the registry's to see.

import type { Capability } from "../api_types.ts";
import type { GgufMetadata } from "./gguf_header.ts";

/**
 * `completion`: writes text but has no chat template. `projector`: belongs to another file.
 * `other`: nothing that llama-server can serve as a model.
 */
export type GgufKind =
  | "chat"
  | "completion"
  | "embedding"
  | "rerank"
  | "projector"
  | "adapter"
  | "other";

export const POOLINGS = ["none", "mean", "cls", "last", "rank"] as const;
export type Pooling = (typeof POOLINGS)[number];

/** They read a whole input at once and keep nothing of it. */
export const ENCODER_ARCHITECTURES: ReadonlySet<string> = new Set([
  "bert",
  "modern-bert",
  "nomic-bert",
  "nomic-bert-moe",
  "neo-bert",
  "jina-bert-v2",
  "jina-bert-v3",
  "eurobert",
  "gemma-embedding",
  "t5encoder",
]);

const EMBEDDING_ARCHITECTURES: ReadonlySet<string> = new Set([
  ...ENCODER_ARCHITECTURES,
  "llama-embed",
]);

/** Diffusion models, encoder-decoders and voices. */
const UNSERVED_ARCHITECTURES: ReadonlySet<string> = new Set([
  "dream",
  "llada",
  "llada-moe",
  "rnd1",
  "t5",
  "wavtokenizer-dec",
  "qwen3tts",
]);

export interface KindEvidence {
  architecture: string | null;
  metadata: GgufMetadata;
  chatTemplate: string | null;
  pooling: Pooling | null;
  causal: boolean;
  /** A tensor that ranks texts is there. */
  hasClassifier: boolean;
  /** There are weights, here or in another part. */
  hasWeights: boolean;
}

export function kindOf(evidence: KindEvidence): GgufKind {
  const { architecture, metadata, pooling } = evidence;
  const type = metadata.get("general.type");
  if (architecture === "clip" || type === "mmproj") return "projector";
  if (type === "adapter") return "adapter";
  if (architecture === null || (type !== undefined && type !== "model")) return "other";
  if (!evidence.hasWeights || UNSERVED_ARCHITECTURES.has(architecture)) return "other";
  const labels = metadata.has(`${architecture}.classifier.output_labels`);
  if (pooling === "rank" || labels || evidence.hasClassifier) return "rerank";
  if (EMBEDDING_ARCHITECTURES.has(architecture) || !evidence.causal) return "embedding";
  if (pooling !== null && pooling !== "none") return "embedding";
  return evidence.chatTemplate === null ? "completion" : "chat";
}

export function capabilitiesOf(kind: GgufKind, evidence: KindEvidence): Capability[] {
  switch (kind) {
    case "chat":
      return ["chat", "completion", ...templateCapabilities(evidence)];
    case "completion":
    case "embedding":
    case "rerank":
      return [kind];
    case "projector":
      return projectorCapabilities(evidence.metadata);
    default:
      return [];
  }
}

function templateCapabilities({ chatTemplate, metadata }: KindEvidence): Capability[] {
  const template = chatTemplate ?? "";
  const found: Capability[] = [];
  // A template of its own for tools is the older way.
  const hasToolTemplate = metadata.has("tokenizer.chat_template.tool_use");
  // The bound keeps a hostile template from taking for ever.
  if (hasToolTemplate || /\{[{%][^}]{0,200}\btools\b/.test(template)) found.push("tools");
  if (/enable_thinking|<think>|reasoning_effort/.test(template)) found.push("thinking");
  return found;
}

function projectorCapabilities(metadata: GgufMetadata): Capability[] {
  const hasAudio = metadata.get("clip.has_audio_encoder") === true;
  // The first projectors were for images alone and did not say so.
  const hasVision = metadata.get("clip.has_vision_encoder") ?? !hasAudio;
  return [
    ...(hasVision === true ? ["vision" as const] : []),
    ...(hasAudio ? ["audio" as const] : []),
  ];
}

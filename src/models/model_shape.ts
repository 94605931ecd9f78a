// The few figures that a model's memory and speed follow from, as the catalogue lists them, and how
// many parameters they make. Named as in a GGUF header; bytes are shape_facts.ts's.

/** One number for all layers, or a pattern that repeats over them. */
export type PerLayer = number | readonly number[];

/**
 * `own`: a tensor of its own. `tied`: the token embedding is used. `copied`: the same numbers, but
 * stored a second time. `none`: an encoder.
 */
export type OutputTensor = "own" | "tied" | "copied" | "none";

export interface ModelShape {
  architecture: string;
  block_count: number;
  embedding_length: number;
  /** Where all layers are experts, and no width of theirs is given, theirs. */
  feed_forward_length: PerLayer;
  head_count: number;
  /** 0 = a layer without attention. */
  head_count_kv: PerLayer;
  key_length: number;
  value_length: number;
  vocab_size: number;
  output: OutputTensor;

  expert_count?: number;
  expert_used_count?: number;
  expert_feed_forward_length?: number;
  /** What every token passes beside its experts. */
  shared_feed_forward_length?: number;

  /** Tokens. */
  sliding_window?: number;
  /** One layer of so many, the last of each group, attends to everything. */
  sliding_window_pattern?: number;
  /** In the layers with a window. */
  key_length_swa?: number;
  value_length_swa?: number;
  /** The last ones, which reuse what earlier layers keep. */
  shared_kv_layers?: number;

  /** One layer of so many attends, the others keep a state. */
  full_attention_interval?: number;
  ssm?: { conv_kernel: number; inner_size: number; state_size: number; group_count: number };
  shortconv?: { l_cache: number };

  /** Each layer has an embedding table of this width. */
  embedding_length_per_layer_input?: number;
  /** Rows of a learnt table of positions. */
  position_count?: number;
}

/** Counts of numbers, not of bytes. */
export interface ParameterCounts {
  tokenEmbedding: number;
  /** As stored; 0 where the token embedding is used. */
  output: number;
  /** Of each layer, experts included. */
  blocks: number[];
  /** Of all layers together. */
  experts: number;
  /** Tables of each layer and of positions. */
  tables: number;
  /** As stored. */
  total: number;
  /** As published: what is stored twice counts once. */
  published: number;
}

/** Widened and narrowed again, without a gate between. */
const PLAIN_FEED_FORWARD: ReadonlySet<string> = new Set(["bert"]);
/** The query comes with a gate of the same size. */
const GATED_QUERY: ReadonlySet<string> = new Set(["qwen3next", "qwen35", "qwen35moe"]);

export function parametersOf(shape: ModelShape): ParameterCounts {
  const { embedding_length: embedding, vocab_size: vocabulary, block_count: layers } = shape;
  const tokenEmbedding = vocabulary * embedding;
  const output = shape.output === "own" || shape.output === "copied" ? tokenEmbedding : 0;
  const blocks = Array.from(
    { length: layers },
    (_, layer) => mixerOf(shape, layer) + feedForwardOf(shape, layer) + layerInputOf(shape),
  );
  const perLayer = (shape.embedding_length_per_layer_input ?? 0) * layers;
  const tables = perLayer * (vocabulary + embedding) + (shape.position_count ?? 0) * embedding;
  const total = tokenEmbedding + output + tables + blocks.reduce((sum, each) => sum + each, 0);
  return {
    tokenEmbedding,
    output,
    blocks,
    experts: expertsOf(shape) * layers,
    tables,
    total,
    published: shape.output === "copied" ? total - output : total,
  };
}

export function perLayer(value: PerLayer, layer: number): number {
  return typeof value === "number" ? value : value[layer % value.length] ?? 0;
}

function mixerOf(shape: ModelShape, layer: number): number {
  const { embedding_length: embedding, full_attention_interval: interval } = shape;
  if (shape.ssm !== undefined && interval !== undefined && (layer + 1) % interval !== 0) {
    const { inner_size: inner, state_size: state, group_count: groups } = shape.ssm;
    return embedding * (3 * inner + 2 * groups * state);
  }
  const kvHeads = perLayer(shape.head_count_kv, layer);
  if (kvHeads === 0) return shape.shortconv === undefined ? 0 : 4 * embedding ** 2;
  const isSliding = hasWindow(shape, layer);
  const key = (isSliding ? shape.key_length_swa : undefined) ?? shape.key_length;
  const value = (isSliding ? shape.value_length_swa : undefined) ?? shape.value_length;
  const queries = GATED_QUERY.has(shape.architecture) ? 2 : 1;
  const isShared = layer >= shape.block_count - (shape.shared_kv_layers ?? 0);
  return embedding * shape.head_count * (queries * key + value) +
    (isShared ? 0 : embedding * kvHeads * (key + value));
}

function hasWindow(shape: ModelShape, layer: number): boolean {
  const { sliding_window_pattern: pattern } = shape;
  return pattern !== undefined && pattern > 0 && (layer + 1) % pattern !== 0;
}

function feedForwardOf(shape: ModelShape, layer: number): number {
  const { embedding_length: embedding, expert_count: experts } = shape;
  const matrices = PLAIN_FEED_FORWARD.has(shape.architecture) ? 2 : 3;
  if (!experts) return matrices * embedding * perLayer(shape.feed_forward_length, layer);
  const router = embedding * experts;
  const shared = matrices * embedding * (shape.shared_feed_forward_length ?? 0);
  return expertsOf(shape) + router + shared;
}

/** Of one layer. */
function expertsOf(shape: ModelShape): number {
  const width = shape.expert_feed_forward_length ?? perLayer(shape.feed_forward_length, 0);
  return (shape.expert_count ?? 0) * 3 * shape.embedding_length * width;
}

function layerInputOf(shape: ModelShape): number {
  return 2 * shape.embedding_length * (shape.embedding_length_per_layer_input ?? 0);
}

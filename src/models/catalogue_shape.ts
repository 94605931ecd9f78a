// The shape of a catalogue's model, from JSON to typed values. What it means is model_shape.ts's.

import { MOST_LAYERS } from "./gguf_tensors.ts";
import type { JsonField } from "./json_field.ts";
import type { ModelShape, PerLayer } from "./model_shape.ts";

const OUTPUTS = ["own", "tied", "copied", "none"] as const;

/** More than any model has, and small enough that products stay whole numbers. */
const MOST_WIDTH = 1e6;
const MOST_VOCABULARY = 1e7;
const MOST_EXPERTS = 4096;
const MOST_TOKENS = 1e9;

/** Throws `Misfit`. */
export function parseModelShape(shape: JsonField): ModelShape {
  const ssm = shape.get("ssm");
  const shortconv = shape.get("shortconv");
  return {
    architecture: shape.get("architecture").text({
      longest: 60,
      pattern: /^[a-z0-9][a-z0-9_.-]*$/,
      kind: "an architecture such as llama",
    }),
    block_count: shape.get("block_count").count({ least: 1, most: MOST_LAYERS }),
    embedding_length: shape.get("embedding_length").count({ least: 1, most: MOST_WIDTH }),
    feed_forward_length: perLayerOf(shape.get("feed_forward_length")),
    head_count: shape.get("head_count").count({ least: 1, most: MOST_WIDTH }),
    head_count_kv: perLayerOf(shape.get("head_count_kv")),
    key_length: shape.get("key_length").count({ least: 1, most: MOST_WIDTH }),
    value_length: shape.get("value_length").count({ least: 1, most: MOST_WIDTH }),
    vocab_size: shape.get("vocab_size").count({ least: 1, most: MOST_VOCABULARY }),
    output: shape.get("output").oneOf(OUTPUTS),
    ...optional(shape, {
      expert_count: MOST_EXPERTS,
      expert_used_count: MOST_EXPERTS,
      expert_feed_forward_length: MOST_WIDTH,
      shared_feed_forward_length: MOST_WIDTH,
      sliding_window: MOST_TOKENS,
      sliding_window_pattern: MOST_LAYERS,
      key_length_swa: MOST_WIDTH,
      value_length_swa: MOST_WIDTH,
      shared_kv_layers: MOST_LAYERS,
      full_attention_interval: MOST_LAYERS,
      embedding_length_per_layer_input: MOST_WIDTH,
      position_count: MOST_VOCABULARY,
    }),
    ...(ssm.isMissing ? {} : {
      ssm: {
        conv_kernel: ssm.get("conv_kernel").count({ most: MOST_WIDTH }),
        inner_size: ssm.get("inner_size").count({ most: MOST_WIDTH }),
        state_size: ssm.get("state_size").count({ most: MOST_WIDTH }),
        group_count: ssm.get("group_count").count({ most: MOST_WIDTH }),
      },
    }),
    ...(shortconv.isMissing
      ? {}
      : { shortconv: { l_cache: shortconv.get("l_cache").count({ most: MOST_WIDTH }) } }),
  };
}

function perLayerOf(field: JsonField): PerLayer {
  if (!Array.isArray(field.value)) return field.count({ most: MOST_WIDTH });
  return field.list({ least: 1, most: MOST_LAYERS }).map((each) =>
    each.count({ most: MOST_WIDTH })
  );
}

function optional<K extends string>(
  shape: JsonField,
  most: Record<K, number>,
): Partial<Record<K, number>> {
  const found: Partial<Record<K, number>> = {};
  for (const name of Object.keys(most) as K[]) {
    const field = shape.get(name);
    if (!field.isMissing) found[name] = field.count({ most: most[name] });
  }
  return found;
}

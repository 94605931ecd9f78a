// The numbers of the GGUF format: value types, tensor types with their block sizes, names of file
// types. Tables only; reading is gguf_header.ts, writing gguf_writer.ts.

/** `GGUF`, as a file begins. */
export const GGUF_MAGIC = new Uint8Array([0x47, 0x47, 0x55, 0x46]);

export const DEFAULT_ALIGNMENT = 32;

export const VALUE_TYPE = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;

/** Bytes of a value by its type; undefined for strings, arrays and types that do not exist. */
export const VALUE_BYTES: readonly (number | undefined)[] = [
  1, // u8
  1, // i8
  2, // u16
  2, // i16
  4, // u32
  4, // i32
  4, // f32
  1, // bool
  undefined, // string
  undefined, // array
  8, // u64
  8, // i64
  8, // f64
];

export interface TensorType {
  readonly name: string;
  /** Numbers in one block, and the bytes that they take together. */
  readonly blockLength: number;
  readonly blockBytes: number;
}

/**
 * ggml's tensor types by id. Ids that are missing were removed, or belong to a fork: their size is
 * never guessed.
 */
export const TENSOR_TYPES: ReadonlyMap<number, TensorType> = new Map(
  ([
    [0, "F32", 1, 4],
    [1, "F16", 1, 2],
    [2, "Q4_0", 32, 18],
    [3, "Q4_1", 32, 20],
    [6, "Q5_0", 32, 22],
    [7, "Q5_1", 32, 24],
    [8, "Q8_0", 32, 34],
    [9, "Q8_1", 32, 36],
    [10, "Q2_K", 256, 84],
    [11, "Q3_K", 256, 110],
    [12, "Q4_K", 256, 144],
    [13, "Q5_K", 256, 176],
    [14, "Q6_K", 256, 210],
    [15, "Q8_K", 256, 292],
    [16, "IQ2_XXS", 256, 66],
    [17, "IQ2_XS", 256, 74],
    [18, "IQ3_XXS", 256, 98],
    [19, "IQ1_S", 256, 50],
    [20, "IQ4_NL", 32, 18],
    [21, "IQ3_S", 256, 110],
    [22, "IQ2_S", 256, 82],
    [23, "IQ4_XS", 256, 136],
    [24, "I8", 1, 1],
    [25, "I16", 1, 2],
    [26, "I32", 1, 4],
    [27, "I64", 1, 8],
    [28, "F64", 1, 8],
    [29, "IQ1_M", 256, 56],
    [30, "BF16", 1, 2],
    [34, "TQ1_0", 256, 54],
    [35, "TQ2_0", 256, 66],
    [39, "MXFP4", 32, 17],
    [40, "NVFP4", 64, 36],
    [41, "Q1_0", 128, 18],
    [42, "Q2_0", 64, 18],
  ] as const).map(([id, name, blockLength, blockBytes]) => [id, { name, blockLength, blockBytes }]),
);

/** `general.file_type` -> quantization. A different numbering from the tensor types'. */
const FILE_TYPES: ReadonlyMap<number, string> = new Map([
  [0, "F32"],
  [1, "F16"],
  [2, "Q4_0"],
  [3, "Q4_1"],
  [7, "Q8_0"],
  [8, "Q5_0"],
  [9, "Q5_1"],
  [10, "Q2_K"],
  [11, "Q3_K_S"],
  [12, "Q3_K_M"],
  [13, "Q3_K_L"],
  [14, "Q4_K_S"],
  [15, "Q4_K_M"],
  [16, "Q5_K_S"],
  [17, "Q5_K_M"],
  [18, "Q6_K"],
  [19, "IQ2_XXS"],
  [20, "IQ2_XS"],
  [21, "Q2_K_S"],
  [22, "IQ3_XS"],
  [23, "IQ3_XXS"],
  [24, "IQ1_S"],
  [25, "IQ4_NL"],
  [26, "IQ3_S"],
  [27, "IQ3_M"],
  [28, "IQ2_S"],
  [29, "IQ2_M"],
  [30, "IQ4_XS"],
  [31, "IQ1_M"],
  [32, "BF16"],
  [36, "TQ1_0"],
  [37, "TQ2_0"],
  [38, "MXFP4_MOE"],
  [39, "NVFP4"],
  [40, "Q1_0"],
  [41, "Q2_0"],
]);

/** llama.cpp adds this to a file type that it guessed from the tensors. */
const GUESSED_FILE_TYPE = 1024;

/** The quantization that `general.file_type` names; null when the number is not known. */
export function quantizationOf(fileType: number): string | null {
  const known = fileType >= GUESSED_FILE_TYPE ? fileType - GUESSED_FILE_TYPE : fileType;
  return FILE_TYPES.get(known) ?? null;
}

/**
 * Bytes of a tensor of these dimensions, the first being the row; null where the row is no whole
 * number of blocks or the size is beyond what a number can hold exactly.
 */
export function tensorBytes(type: TensorType, dimensions: readonly number[]): number | null {
  const [row = 1, ...outer] = dimensions;
  if (row % type.blockLength !== 0) return null;
  let bytes = (row / type.blockLength) * type.blockBytes;
  for (const length of outer) bytes *= length;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

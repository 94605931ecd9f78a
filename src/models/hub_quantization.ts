// The quantization that a file's name says (pure). Uploaders write it in many ways; the last of
// several is the file's own.

const LABEL = [
  "Q4_0_[48]_[48]",
  "MXFP4_MOE",
  "MXFP4",
  "NVFP4",
  "IQ[1-4]_(?:XXS|XS|NL|S|M|L)",
  "TQ[12]_0",
  "Q[1-8]_(?:K(?:_(?:XXS|XS|XL|S|M|L))?|[01])",
  "BF16",
  "FP?16",
  "FP?32",
].join("|");

// An uploader's own larger size stands behind the label: `IQ4_NL_XL`.
const NAMED = new RegExp(`(?<=^|[-._/])(?:UD-)?(?:${LABEL})(?:_X?L)?(?=$|[-._/])`, "gi");

/** As older repositories have it: `phi-3-q4.gguf`. */
const BITS_ONLY = /(?<=^|[-._/])Q[2-8](?=$|[-._/])/gi;

/** `sub/Qwen3-4B-UD-q4_k_xl.gguf` -> `UD-Q4_K_XL`; null where the name says none. */
export function quantizationLabelOf(path: string): string | null {
  const name = path.replace(/\.gguf$/i, "");
  const found = [...name.matchAll(NAMED)].at(-1) ?? [...name.matchAll(BITS_ONLY)].at(-1);
  return found === undefined ? null : found[0].toUpperCase().replace(/^FP/, "F");
}

/** What files of one model have in common: the name without any label, in small letters. */
export function nameWithoutLabel(path: string): string {
  const name = path.replace(/\.gguf$/i, "").replaceAll(NAMED, "").replaceAll(BITS_ONLY, "");
  return name.replaceAll(/[-._/]+/g, "-").replaceAll(/^-|-$/g, "").toLowerCase();
}

// A model that comes in several files: all parts must be there and belong together. Finding the files
// is the registry's.

import { basename } from "node:path";
import { ggufError, type GgufProblem } from "./gguf_cursor.ts";
import { type GgufFacts, readGgufFacts } from "./gguf.ts";

/**
 * The facts of a split model: the first part's, with the bytes and tensors of all parts added up.
 * The order of the paths does not matter; one path of a model that is not split is fine. Throws
 * what `readGgufFacts` throws, and `part_missing` with `values.missing` (numbers from 1).
 */
export async function readSplitFacts(
  paths: readonly string[],
  readFacts: (path: string) => Promise<GgufFacts> = readGgufFacts,
): Promise<GgufFacts> {
  const parts: { path: string; facts: GgufFacts }[] = [];
  for (const path of paths) parts.push({ path, facts: await readFacts(path) });
  parts.sort((a, b) => a.facts.splitNo - b.facts.splitNo);
  const [first] = parts;
  if (!first) throw new RangeError("A split model has at least one file");
  const file = basename(first.path);
  const all = parts.map((part) => part.facts);
  const { splitCount } = first.facts;
  const missing = missingParts(all, splitCount);
  if (missing.length > 0) {
    throw ggufError(file, "part_missing", {
      sentence: `it comes in ${splitCount} parts, and ${missing.join(", ")} ` +
        `${missing.length === 1 ? "is" : "are"} missing. Download the missing parts`,
      parts: splitCount,
      missing: missing.join(", "),
    });
  }
  const tensorCount = sum(all, (facts) => facts.tensorCount);
  const expected = first.facts.metadata.get("split.tensors.count");
  const ofOneKind = all.every((facts) => facts.splitCount === splitCount);
  if (!ofOneKind || parts.length !== splitCount || (expected ?? tensorCount) !== tensorCount) {
    throw ggufError(file, "corrupt", {
      sentence: "its parts do not belong together. Download all parts of one model again",
    });
  }
  return {
    ...first.facts,
    tensorCount,
    weightsBytes: sum(all, (facts) => facts.weightsBytes),
    tokenEmbeddingBytes: sum(all, (facts) => facts.tokenEmbeddingBytes),
    expertBytes: sum(all, (facts) => facts.expertBytes),
    blockBytes: sumByLayer(all),
    hasOutputTensor: all.some((facts) => facts.hasOutputTensor),
    headerBytes: sum(all, (facts) => facts.headerBytes),
    requiredFileBytes: sum(all, (facts) => facts.requiredFileBytes),
  };
}

/**
 * Throws `model_file_invalid` for what is a sound file but no model that an instance can serve by
 * itself: a projector, an adapter, a later part of a split model.
 */
export function checkServable(facts: GgufFacts, file: string): void {
  const [reason, sentence] = refusalOf(facts);
  if (reason !== null) throw ggufError(file, reason, { sentence });
}

function refusalOf({ kind, splitNo, splitCount }: GgufFacts): [GgufProblem, string] | [null, ""] {
  if (splitNo > 0) {
    return ["not_servable", `it is part ${splitNo + 1} of ${splitCount}. Choose the first part`];
  }
  switch (kind) {
    case "projector":
      return ["projector", "it gives sight or hearing to another model. Choose that model"];
    case "adapter":
      return ["adapter", "it only changes another model. Choose that model"];
    case "other":
      return [
        "not_servable",
        "llama-server cannot serve a file of this kind. Choose another model",
      ];
    default:
      return [null, ""];
  }
}

// The number of parts is the file's claim: the list ends soon, however large it is.
function missingParts(all: readonly GgufFacts[], splitCount: number): number[] {
  const there = new Set(all.map((facts) => facts.splitNo));
  const missing: number[] = [];
  for (let no = 0; no < splitCount && missing.length < 20; no++) {
    if (!there.has(no)) missing.push(no + 1);
  }
  return missing;
}

function sum(all: readonly GgufFacts[], bytes: (facts: GgufFacts) => number): number {
  return all.reduce((total, facts) => total + bytes(facts), 0);
}

function sumByLayer(all: readonly GgufFacts[]): number[] {
  const layers = Math.max(...all.map((facts) => facts.blockBytes.length));
  return Array.from(
    { length: layers },
    (_, layer) => sum(all, (facts) => facts.blockBytes[layer] ?? 0),
  );
}

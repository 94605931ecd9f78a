// All that lies below a folder, to see whether anything was made, changed or taken away.

import { createHash } from "node:crypto";
import { join } from "node:path";

export interface SnapshotOptions {
  /** Names that are passed over wherever they lie: what the program writes by itself. */
  except?: RegExp;
}

/** What the program writes by itself: registry, log, catalogue, filters, and what says that a server runs. */
export const OWN_FILES = /^(?:registry\.db.*|models_registry.*|logs|run|probes\.json.*|\.?cage)$/;

/** A line for each entry: its path, its kind, and its bytes or where it leads. */
export function treeSnapshot(root: string, { except }: SnapshotOptions = {}): string[] {
  const lines: string[] = [];
  function look(folder: string, below: string): void {
    for (const entry of Deno.readDirSync(folder)) {
      if (except?.test(entry.name)) continue;
      const path = join(folder, entry.name);
      const name = `${below}${entry.name}`;
      if (entry.isSymlink) lines.push(`${name} -> ${Deno.readLinkSync(path)}`);
      else if (entry.isDirectory) {
        lines.push(`${name}/`);
        look(path, `${name}/`);
      } else if (entry.isFile) {
        const { size, mtime, mode } = Deno.lstatSync(path);
        const digest = createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
        lines.push(`${name} ${size} ${mtime?.getTime()} ${mode} ${digest}`);
      } else lines.push(`${name} (neither file nor folder)`);
    }
  }
  look(root, "");
  return lines.sort();
}

// A temporary folder with the files that a test needs, removed when it goes out of scope.

import { dirname, join } from "node:path";

export interface FileTree extends AsyncDisposable {
  /** Absolute path of the folder. */
  readonly root: string;
  write(path: string, text: string): void;
}

/** Keys are paths below the folder, with or without a leading slash. */
export async function fileTree(files: Readonly<Record<string, string>> = {}): Promise<FileTree> {
  const root = await Deno.makeTempDir({ prefix: "zombie_tree_" });
  const tree: FileTree = {
    root,
    write(path, text) {
      const target = join(root, path);
      Deno.mkdirSync(dirname(target), { recursive: true });
      Deno.writeTextFileSync(target, text);
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(root, { recursive: true });
    },
  };
  for (const [path, text] of Object.entries(files)) tree.write(path, text);
  return tree;
}

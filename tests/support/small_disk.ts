// A disk of a few megabytes that can be filled: a tmpfs of its own. Mounting takes root; where that
// cannot be, the test fails and says so.

import { statfsSync } from "node:fs";
import { join } from "node:path";
import { type TempDir, tempDir } from "./temp_dir.ts";

export class SmallDisk implements AsyncDisposable {
  readonly path: string;
  readonly #dir: TempDir;

  private constructor(dir: TempDir) {
    this.#dir = dir;
    this.path = join(dir.path, "disk");
  }

  static async mount(sizeBytes: number): Promise<SmallDisk> {
    const disk = new SmallDisk(await tempDir());
    await Deno.mkdir(disk.path);
    try {
      await run("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", disk.path]);
    } catch (cause) {
      await disk.#dir[Symbol.asyncDispose]();
      throw new Error("This test mounts a tmpfs: run it as root, on Linux", { cause });
    }
    return disk;
  }

  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Leaves so many bytes. The answer gives the room back. */
  fill(leftBytes: number): () => void {
    const path = join(this.path, "filler");
    Deno.writeFileSync(path, new Uint8Array(Math.max(0, this.freeBytes() - leftBytes)));
    return () => Deno.removeSync(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", [this.path]);
    await this.#dir[Symbol.asyncDispose]();
  }
}

async function run(program: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

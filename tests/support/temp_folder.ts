// A folder that is gone with everything in it when it goes out of scope.

export class TempFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<TempFolder> {
    // Its real path: the system's temporary folder is a link on macOS.
    return new TempFolder(await Deno.realPath(await Deno.makeTempDir({ prefix: "zombiecoder-" })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

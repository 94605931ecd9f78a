// Downloads' view of the stand-in, by nothing but `fetch`: a model is the one file that was asked for,
// or the files that a test names for it.

import { AppError } from "../../src/errors.ts";
import type { DownloadSource } from "../../src/models/download_source.ts";

export interface PlainSourceOptions {
  /** All files of the model that this one is the first of, in their order. */
  filesOf?(file: string): string[];
}

export function plainSource(endpoint: string, options: PlainSourceOptions = {}): DownloadSource {
  async function ask(path: string, signal: AbortSignal): Promise<Response> {
    let answer: Response;
    try {
      answer = await fetch(endpoint + path, { redirect: "manual", signal });
    } catch (error) {
      signal.throwIfAborted();
      throw new AppError("hub_unreachable", "Cannot reach the Hub", { cause: error });
    }
    if (answer.status < 400) return answer;
    await answer.body?.cancel();
    const { status, headers } = answer;
    const after = Number(headers.get("retry-after") ?? NaN);
    const code = status === 429
      ? "hub_rate_limited"
      : status >= 500
      ? "hub_failed"
      : headers.get("x-error-code") === "GatedRepo"
      ? "hub_gated"
      : "hub_not_found";
    throw new AppError(code, `Cannot use the Hub: it answered ${status}`, {
      ...(after >= 0 && { retryAfterSeconds: after }),
    });
  }
  return {
    async model({ repo, revision, file }, signal) {
      const path = `/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
      const info = await (await ask(path, signal)).json();
      const files = (options.filesOf?.(file) ?? [file]).map((name) => {
        const found = info.siblings.find((each: { rfilename: string }) => each.rfilename === name);
        if (found === undefined) throw new AppError("hub_not_found", `There is no "${name}"`);
        const role = name.includes("mmproj") ? "projector" as const : "model" as const;
        return { path: name, sizeBytes: found.size, sha256: found.lfs?.sha256 ?? null, role };
      });
      return { commit: info.sha, files };
    },
    async resolve({ repo, commit, path }, signal) {
      const name = path.split("/").map(encodeURIComponent).join("/");
      const { headers, body } = await ask(`/${repo}/resolve/${commit}/${name}`, signal);
      await body?.cancel();
      return {
        url: headers.get("location")!,
        sizeBytes: Number(headers.get("x-linked-size")),
        sha256: headers.get("x-linked-etag")?.replaceAll('"', "") ?? null,
        commit: headers.get("x-repo-commit")!,
      };
    },
    open: ({ url }, { start, end }, signal) =>
      fetch(url, { headers: { range: `bytes=${start}-${end - 1}` }, signal }),
  };
}

// One request for a range of a file: its answer checked, its bytes handed on megabyte by megabyte.
// What is asked for, and what becomes of the bytes, is download_file.ts's.

import { AppError, messageOf } from "../errors.ts";
import type { DownloadSource, ResolvedFile } from "./download_source.ts";
import type { SpeedLimit } from "./speed_limit.ts";
import { StallWatch } from "./stall_watch.ts";

/** After a crash no more than this of a part is fetched again. */
export const CHUNK_BYTES = 1024 * 1024;
const READ_BYTES = 256 * 1024;
/** On a slow line a megabyte takes long: what came is not kept in memory for longer. */
const GATHER_MS = 5_000;

export interface StreamOptions {
  source: Pick<DownloadSource, "open">;
  resolved: ResolvedFile;
  /** Bytes `start` to `end` (exclusive). */
  start: number;
  end: number;
  /** Read over what comes before `start` where the server sends the whole file. */
  takesWhole: boolean;
  stallMs: number;
  limit: SpeedLimit;
  signal: AbortSignal;
  /** Called with one piece after the other; the bytes are reused when it resolves. */
  write(bytes: Uint8Array): Promise<void>;
}

/** The server has no ranges, or did not use them this time. */
export class RangeIgnoredError extends AppError {
  constructor() {
    super(
      "download_failed",
      "Cannot go on with the download: the server sent the file from its start. It is tried again by itself",
    );
  }
}

/** The link is refused: it may have expired. */
export class LinkRefusedError extends AppError {
  constructor(status: number) {
    super(
      "download_failed",
      `Cannot go on with the download: the server refuses the link (${status}). The Hub is asked for another one`,
      { values: { status } },
    );
  }
}

/**
 * Returns when the whole range was written. Whatever goes wrong, what came before it is written
 * first. Throws an AppError, or the signal's reason.
 */
export async function streamRange(options: StreamOptions): Promise<void> {
  const { source, resolved, start, end, signal } = options;
  using watch = new StallWatch(options.stallMs, signal);
  const fromNetwork = <T>(wait: Promise<T>) =>
    watch.during(wait).catch((error) => {
      throw watch.signal.aborted ? watch.signal.reason : connectionFailure(error);
    });
  const gathered = new Gathered(options.write);
  let reader: ReadableStreamBYOBReader | null = null;
  try {
    const response = await fromNetwork(source.open(resolved, { start, end }, watch.signal));
    reader = bodyOf(response, options);
    let skip = response.status === 200 ? start : 0;
    let landing = new Uint8Array(READ_BYTES);
    while (gathered.total < end - start) {
      const most = Math.min(READ_BYTES, skip + end - start - gathered.total);
      const view = new Uint8Array(landing.buffer, 0, options.limit.portion(most));
      const { value, done } = await fromNetwork(reader.read(view));
      if (done) throw connectionFailure(new TypeError("it ended too early"));
      const skipped = Math.min(skip, value.length);
      skip -= skipped;
      if (value.length > skipped) await gathered.add(value.subarray(skipped));
      landing = new Uint8Array(value.buffer as ArrayBuffer);
      await options.limit.take(value.length, signal);
    }
    await gathered.flush();
  } catch (error) {
    await gathered.flushWhatCame();
    throw error;
  } finally {
    // Also ends a read that is still waited for. Already failed in most cases.
    await reader?.cancel().catch(() => {});
  }
}

/** Throws for every answer that is not the range asked for. */
function bodyOf(response: Response, options: StreamOptions): ReadableStreamBYOBReader {
  try {
    checkAnswer(response, options);
    if (response.body === null) throw connectionFailure(new TypeError("the answer is empty"));
    return response.body.getReader({ mode: "byob" });
  } catch (error) {
    response.body?.cancel().catch(() => {});
    throw error;
  }
}

function checkAnswer(
  response: Response,
  { resolved, start, end, takesWhole }: StreamOptions,
): void {
  const { status, headers } = response;
  const encoding = headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") throw changed(`it comes as "${encoding.slice(0, 20)}"`);
  if (status === 200) {
    const length = headers.get("content-length");
    if (length !== null && Number(length) !== resolved.sizeBytes) {
      throw changed(`it has ${Number(length)} bytes instead of ${resolved.sizeBytes}`);
    }
    if (start > 0 && !takesWhole) throw new RangeIgnoredError();
    return;
  }
  if (status === 206) {
    const found = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
    const total = found?.[3] === "*" ? resolved.sizeBytes : Number(found?.[3]);
    if (total !== resolved.sizeBytes) {
      throw changed(
        `it has ${found?.[3] ?? "an unknown number of"} bytes instead of ${resolved.sizeBytes}`,
      );
    }
    if (Number(found?.[1]) !== start || Number(found?.[2]) !== end - 1) {
      throw changed("another range was sent than the one asked for");
    }
    return;
  }
  if (status === 416) throw changed("the server says that it is shorter");
  if (status === 401 || status === 403 || status === 404 || status === 410) {
    throw new LinkRefusedError(status);
  }
  const retryAfter = Number(headers.get("retry-after") ?? NaN);
  const isLimited = status === 429;
  throw new AppError(
    isLimited ? "hub_rate_limited" : "hub_failed",
    isLimited
      ? "Cannot go on with the download: the server was asked too often. It is tried again by itself"
      : `Cannot go on with the download: the server answered ${status}. It is tried again by itself`,
    {
      values: { status },
      ...(retryAfter >= 0 && { retryAfterSeconds: Math.min(retryAfter, 86_400) }),
    },
  );
}

function changed(how: string): AppError {
  return new AppError(
    "download_changed",
    `Cannot go on with the download: the file on the server is not the one that was begun, ${how}. It is looked up again`,
  );
}

function connectionFailure(error: unknown): unknown {
  // What `fetch` throws for a broken connection, whatever broke it.
  if (!(error instanceof TypeError)) return error;
  return new AppError(
    "download_failed",
    `Cannot go on with the download: the connection broke (${
      messageOf(error)
    }). It is tried again by itself`,
    { cause: error },
  );
}

/** Small reads become writes of a megabyte. */
class Gathered {
  readonly #write: StreamOptions["write"];
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  #filled = 0;
  #sinceMs = 0;
  #isWriting = false;
  total = 0;

  constructor(write: StreamOptions["write"]) {
    this.#write = write;
  }

  async add(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      if (this.#filled === 0) this.#sinceMs = performance.now();
      const piece = bytes.subarray(at, at + CHUNK_BYTES - this.#filled);
      this.#chunk.set(piece, this.#filled);
      this.#filled += piece.length;
      this.total += piece.length;
      at += piece.length;
      const isOld = performance.now() - this.#sinceMs > GATHER_MS;
      if (this.#filled === CHUNK_BYTES || isOld) await this.flush();
    }
  }

  async flush(): Promise<void> {
    if (this.#filled === 0) return;
    this.#isWriting = true;
    await this.#write(this.#chunk.subarray(0, this.#filled));
    this.#isWriting = false;
    this.#filled = 0;
  }

  /** After an error; unless writing itself is what failed. */
  async flushWhatCame(): Promise<void> {
    if (this.#isWriting) return;
    try {
      await this.flush();
    } catch {
      // The first error tells more, and these bytes are fetched again.
    }
  }
}

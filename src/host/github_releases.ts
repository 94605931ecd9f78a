// The releases of llama.cpp as GitHub's API tells them. Which build is wanted is
// install_github.ts's.

import { type Answer, get, type RequestOptions } from "./download_asset.ts";

export interface ReleaseAsset {
  name: string;
  sizeBytes: number;
  /** 64 hex digits; null where GitHub computed none. */
  sha256: string | null;
  url: URL;
}

export interface Release {
  /** Such as `b11118`. */
  tag: string;
  /** Whole uploads only. */
  assets: ReleaseAsset[];
}

const JSON_LIMIT_BYTES = 16 * 1024 * 1024;
const TAG_LIMIT_BYTES = 1024;
const ASSET_LIMIT_BYTES = 1024 ** 3;
const TAG = /^b\d{1,7}$/;
const TAG_FILE = "nightly-tag.txt";

export class GithubReleases {
  readonly #base: string;
  readonly #request: RequestOptions;

  constructor(apiBase: string, request: RequestOptions) {
    this.#base = `${apiBase.replace(/\/$/, "")}/repos/ggml-org/llama.cpp/releases`;
    this.#request = request;
  }

  async byTag(tag: string): Promise<Release> {
    if (!TAG.test(tag)) throw new Error(`${JSON.stringify(tag.slice(0, 40))} is no build tag`);
    const release = releaseIn(await this.#json(`/tags/${tag}`));
    if (release === null || release.tag !== tag) throw new Error(`there is no release "${tag}"`);
    return release;
  }

  /**
   * The newest release with one of the wanted assets. Since August 2026 a stable release
   * (`v0.9.0`) only holds a text file with the tag of the build; without either, the list is
   * searched.
   */
  async latest(hasWanted: (release: Release) => boolean): Promise<Release> {
    // 404: every release is a pre-release.
    const latest = releaseIn(await this.#json("/latest", { status: 404 }));
    if (latest !== null && hasWanted(latest)) return latest;
    const tagFile = latest?.assets.find((asset) => asset.name === TAG_FILE);
    if (tagFile !== undefined) {
      const { url } = tagFile;
      const answer = await get(url, {}, this.#request);
      const tag = (await textOf(answer, { url, limitBytes: TAG_LIMIT_BYTES })).trim();
      const release = await this.byTag(tag);
      if (hasWanted(release)) return release;
    }
    const list = await this.#json("?per_page=30");
    for (const each of Array.isArray(list) ? list : []) {
      const release = releaseIn(each);
      if (release !== null && hasWanted(release)) return release;
    }
    throw new Error("no release has a build for this system");
  }

  /** Null for an answer of this status. */
  async #json(path: string, none: { status: number } | null = null): Promise<unknown> {
    const headers = { accept: "application/vnd.github+json", "user-agent": "zombiecoder-local-ai" };
    const url = new URL(this.#base + path);
    const answer = await get(url, headers, this.#request);
    if (answer.status === none?.status) {
      await answer.cancel();
      return null;
    }
    const text = await textOf(answer, { url, limitBytes: JSON_LIMIT_BYTES });
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Error(`${url.host} did not answer with JSON`, { cause: error });
    }
  }
}

async function textOf(
  answer: Answer,
  { url, limitBytes }: { url: URL; limitBytes: number },
): Promise<string> {
  if (answer.status !== 200) {
    await answer.cancel();
    throw new Error(refusalOf(answer, url));
  }
  const decoder = new TextDecoder();
  let text = "";
  let sizeBytes = 0;
  for await (const bytes of answer.body()) {
    sizeBytes += bytes.length;
    if (sizeBytes > limitBytes) throw new Error(`${url.host} answered with too much text`);
    text += decoder.decode(bytes, { stream: true });
  }
  return text + decoder.decode();
}

function refusalOf(answer: Answer, url: URL): string {
  const limited = answer.status === 429 || answer.headers.get("x-ratelimit-remaining") === "0";
  if (!limited) return `${url.host} answered ${answer.status}`;
  const reset = Number(answer.headers.get("x-ratelimit-reset"));
  const until = reset > 0 ? ` until ${new Date(reset * 1000).toISOString()}` : "";
  return `${url.host} takes no more requests from this address${until}`;
}

/**
 * Null for drafts and for anything that is no release. Single assets that are wrong are left out.
 */
function releaseIn(value: unknown): Release | null {
  if (!isObject(value) || typeof value.tag_name !== "string" || value.draft === true) return null;
  const assets = Array.isArray(value.assets) ? value.assets : [];
  return { tag: value.tag_name, assets: assets.flatMap(assetsIn) };
}

function assetsIn(value: unknown): ReleaseAsset[] {
  if (!isObject(value) || value.state !== "uploaded") return [];
  const { name, size, digest, browser_download_url: url } = value;
  if (typeof name !== "string" || typeof url !== "string" || !URL.canParse(url)) return [];
  if (!Number.isSafeInteger(size) || Number(size) < 1 || Number(size) > ASSET_LIMIT_BYTES) {
    return [];
  }
  const sha256 = /^sha256:([0-9a-f]{64})$/.exec(typeof digest === "string" ? digest : "")?.[1];
  return [{ name, sizeBytes: Number(size), sha256: sha256 ?? null, url: new URL(url) }];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

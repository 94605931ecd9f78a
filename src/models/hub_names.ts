// Names that come from the Hub, or are asked for there: what may be one. They are data, and become
// part of an address or of a listing only after this.

import { AppError } from "../errors.ts";
import { isSafeSegment } from "./safe_join.ts";

const REPO = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;
/** Of a branch or tag: git allows more, nobody uses it. */
const REVISION = /^[A-Za-z0-9][\w.+-]{0,120}(\/[\w.+-]{1,120}){0,4}$/;
const MOST_SEGMENTS = 4;
const PAGE_OF_REPO = /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\//i;

/** Whether this is `org/name` as the Hub allows it. */
export function isRepoName(name: string): boolean {
  return REPO.test(name) && !name.includes("..");
}

/** @throws {AppError} `invalid_request` for what is no `org/name`. */
export function checkRepoName(name: string): void {
  if (isRepoName(name)) return;
  throw new AppError(
    "invalid_request",
    `Cannot ask the Hub for ${shown(name)}: name the repository as "org/name"`,
    { param: "repo", values: { repo: name.slice(0, 200) } },
  );
}

/** @throws {AppError} `invalid_request` for what is no branch, tag or commit. */
export function checkRevision(revision: string): void {
  if (REVISION.test(revision) && !revision.includes("..")) return;
  throw new AppError(
    "invalid_request",
    `Cannot ask the Hub for the revision ${shown(revision)}: name a branch, a tag or a commit`,
    { param: "revision", values: { revision: revision.slice(0, 200) } },
  );
}

/** Whether a path in a repository can be one on every disk. */
export function isHubPath(path: string): boolean {
  const segments = path.split("/");
  return segments.length <= MOST_SEGMENTS && segments.every(isSafeSegment);
}

/** @throws {AppError} `file_name_refused` */
export function checkHubPath(path: string): void {
  if (isHubPath(path)) return;
  throw new AppError(
    "file_name_refused",
    `Cannot take the file ${
      shown(path)
    }: it has a name that not every disk can hold, or that tries to be a path. Choose another file or repository`,
    { param: "file", values: { file: path.slice(0, 200) } },
  );
}

/** What is typed or pasted into a search: a repository's page stands for the repository. */
export function searchTextOf(typed: string): string {
  const text = typed.trim();
  if (!PAGE_OF_REPO.test(text)) return text;
  return text.replace(PAGE_OF_REPO, "").split(/[?#:]/, 1)[0]!.split("/").slice(0, 2).join("/");
}

function shown(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}...` : name);
}

import { isObject } from "./json_field.ts";

export interface HubRepoInfo {
  repo: string;
}

export function parseHubRepoInfo(value: unknown): HubRepoInfo | null {
  return isObject(value) && typeof value["repo"] === "string"
    ? { ...value, repo: value["repo"] }
    : null;
}

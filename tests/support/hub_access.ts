// Who may see what on the stand-in, and what the Hub says to everybody else.

import type { Refusal } from "./hub_exchange.ts";
import type { TestRepo } from "./hub_repo.ts";

export interface AccessOptions {
  token: string | null;
  /** Of a user that exists. */
  isKnown: boolean;
  /** The files themselves, not only what is said about them. */
  files: boolean;
}

/** Null where nothing stands against it. */
export function refusalOf(repo: TestRepo | null, options: AccessOptions): Refusal | null {
  const { token, isKnown, files } = options;
  const isAllowed = token !== null && isKnown && repo?.allowed.has(token) === true;
  if (repo !== null && repo.given.gated && files && !isKnown) {
    return {
      status: 401,
      code: "GatedRepo",
      message:
        `Access to model ${repo.name} is restricted. You must have access to it and be authenticated to access it. Please log in.`,
    };
  }
  if (token !== null && !isKnown) {
    return { status: 401, message: "Invalid credentials in Authorization header" };
  }
  if (repo === null || (repo.given.private === true && !isAllowed)) {
    return isKnown
      ? { status: 404, code: "RepoNotFound", message: "Repository not found" }
      : { status: 401, message: "Invalid username or password." };
  }
  if (repo.given.disabled === true) {
    return {
      status: 403,
      code: "DisabledRepo",
      message: "Access to this resource is disabled.",
    };
  }
  if (repo.given.gated && files && !isAllowed) {
    return {
      status: 403,
      code: "GatedRepo",
      message:
        `Access to model ${repo.name} is restricted and you are not in the authorized list. Visit https://huggingface.co/${repo.name} to ask for access.`,
    };
  }
  return null;
}

// A GET that does something must not be done by a link or an image on somebody else's page.

import { AppError } from "../errors.ts";

/**
 * Whether a browser sends this because of another site's page. Scripts send neither header, and what is
 * typed into the address bar has the site `none`.
 */
export function isForeignLink({ headers }: Request): boolean {
  const site = headers.get("sec-fetch-site");
  return site !== null && site !== "same-origin" && site !== "none";
}

/** `what`: "unload"; `instead`: what to do. */
export function foreignLinkRefused(
  { headers }: Request,
  { what, instead }: { what: string; instead: string },
): AppError {
  return new AppError(
    "origin_not_allowed",
    `Cannot ${what} because of a link on another page. ${instead}`,
    { values: { origin: headers.get("origin"), flag: "--origins" } },
  );
}

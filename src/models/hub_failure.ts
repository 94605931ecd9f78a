// What went wrong with a request to the Hub, as an error with the next step (pure). The Hub says the
// same thing in several ways: its error code counts first, its words second, the status last.

import { AppError, type ErrorCode, type ErrorValues, messageOf } from "../errors.ts";

/** What was asked for. */
export interface HubSubject {
  /** Host of the Hub or of the mirror, for messages. */
  host: string;
  /** A token went with the request. */
  hasToken: boolean;
  repo?: string | undefined;
  revision?: string | undefined;
  file?: string | undefined;
}

export interface HubRefusal {
  status: number;
  headers: Headers;
  /** As the Hub words it, from a header or from the body. */
  message: string;
}

/** Where a Hub that gives no number is asked again. */
const REST_SECONDS = 60;
/** A window of the Hub's limits is 5 minutes; anything longer is a mistake. */
const LONGEST_REST_SECONDS = 3_600;

export function hubFailure(refusal: HubRefusal, subject: HubSubject): AppError {
  const { status, headers, message } = refusal;
  const code = headers.get("x-error-code");
  if (status === 429) return rateLimited(headers, subject);
  if (code === "GatedRepo") return gated(status, subject);
  if (code === "DisabledRepo" || /access to this resource is disabled/i.test(message)) {
    return failure("hub_not_found", subject, {
      text: `the Hub has disabled ${repoOf(subject)}. Choose another repository`,
      values: { reason: "disabled" },
    });
  }
  if (code === "RevisionNotFound") {
    const revision = JSON.stringify(subject.revision ?? "main");
    return failure("hub_not_found", subject, {
      text: `${repoOf(subject)} has no revision ${revision} (any more). Choose another one`,
      values: { reason: "revision" },
    });
  }
  if (code === "EntryNotFound") {
    const file = JSON.stringify(subject.file ?? "");
    return failure("hub_not_found", subject, {
      text: `${repoOf(subject)} has no file ${file}. Look at its list of files`,
      values: { reason: "file" },
    });
  }
  if (/invalid credentials/i.test(message)) return tokenRefused(subject);
  if (code === "RepoNotFound" || status === 401 || status === 404) return notFound(subject);
  if (status === 403) {
    return subject.hasToken ? tokenRefused(subject) : gated(status, subject);
  }
  return failed(refusal, subject);
}

/** For what never became an answer: no network, no such host, no certificate, silence. */
export function hubUnreachable(error: unknown, subject: Pick<HubSubject, "host">): AppError {
  const host = JSON.stringify(subject.host);
  const reason = reasonOf(error);
  return new AppError(
    "hub_unreachable",
    `Cannot reach ${host}: ${REASONS[reason]}`,
    { cause: error, values: { host: subject.host, reason } },
  );
}

const REASONS = {
  no_answer: "it does not answer. Check the network, and try again",
  no_such_host: "no address is known for this name. Check the network and HF_ENDPOINT",
  refused: "it takes no connection. Check the network and HF_ENDPOINT",
  certificate:
    "its certificate cannot be trusted. Check the clock of this computer, and what reads its traffic",
  proxy: "the proxy does not let it through. Check HTTPS_PROXY and NO_PROXY",
  broken: "the connection broke. Check the network, and try again",
} as const;

function reasonOf(error: unknown): keyof typeof REASONS {
  const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : "";
  const text = `${messageOf(error)} ${cause}`;
  if (/no answer within/.test(text)) return "no_answer";
  if (/dns error|failed to lookup/i.test(text)) return "no_such_host";
  if (/tunnel|proxy/i.test(text)) return "proxy";
  if (/certificate|tls|handshake/i.test(text)) return "certificate";
  return /refused|unreachable|no route/i.test(text) ? "refused" : "broken";
}

/** A redirect that leads where nobody allowed. */
export function hostRefused(host: string, subject: HubSubject): AppError {
  return new AppError(
    "hub_host_refused",
    `Cannot download from ${JSON.stringify(host)}: ${
      JSON.stringify(subject.host)
    } leads there, and it is not one of the Hub's own hosts. If you trust it, start again with --download-hosts ${host}`,
    { values: { host, from: subject.host } },
  );
}

/** An answer that is none. */
export function hubNonsense(what: string, subject: HubSubject): AppError {
  return failure("hub_failed", subject, {
    text: `${JSON.stringify(subject.host)} ${what}. Try again later, or check HF_ENDPOINT`,
    values: { reason: "nonsense" },
  });
}

function gated(status: number, subject: HubSubject): AppError {
  const page = `https://huggingface.co/${subject.repo ?? ""}`;
  if (subject.hasToken && status === 401) return tokenRefused(subject);
  const accept = `open ${page} there, and accept the terms of ${repoOf(subject)}`;
  return failure("hub_gated", subject, {
    text: subject.hasToken
      ? `the user of HF_TOKEN has no access to its files yet. Log in as that user, ${accept}; where its owner decides, wait for the answer`
      : `its owner gives it to known users only. Log in at the Hub, ${accept}; then make a token for reading, set HF_TOKEN to it and start again`,
    values: { has_token: subject.hasToken, page },
  });
}

function tokenRefused(subject: HubSubject): AppError {
  return failure("hub_token_refused", subject, {
    text:
      "the Hub does not accept the token in HF_TOKEN for this. Make a new one at https://huggingface.co/settings/tokens that may read repositories, or start without one",
  });
}

function notFound(subject: HubSubject): AppError {
  const next = subject.hasToken
    ? "Check the name; if it is private, the user of HF_TOKEN has no access to it"
    : "Check the name; if it is private, set HF_TOKEN to a token that may read it";
  const what = subject.repo === undefined ? "the Hub does not know this" : `it is not there`;
  return failure("hub_not_found", subject, {
    text: `${what}, or is private. ${next}`,
    values: { reason: "repo", has_token: subject.hasToken },
  });
}

function rateLimited(headers: Headers, subject: HubSubject): AppError {
  const reset = /;\s*t=(\d{1,9})/.exec(headers.get("ratelimit") ?? "")?.[1];
  const seconds = Math.min(
    reset === undefined ? retryAfterOf(headers) ?? REST_SECONDS : Number(reset) + 1,
    LONGEST_REST_SECONDS,
  );
  const next = subject.hasToken ? "" : ", or set HF_TOKEN: users may ask more often";
  return failure("hub_rate_limited", subject, {
    text: `the Hub takes no more requests for now. Try again in ${seconds} seconds${next}`,
    values: { seconds, has_token: subject.hasToken },
    retryAfterSeconds: seconds,
  });
}

function failed({ status, headers, message }: HubRefusal, subject: HubSubject): AppError {
  const words = message === "" ? "" : ` (${JSON.stringify(message.slice(0, 200))})`;
  const seconds = retryAfterOf(headers);
  return failure("hub_failed", subject, {
    text: `${JSON.stringify(subject.host)} answered ${status}${words}. Try again later`,
    values: { status },
    ...(seconds !== null && { retryAfterSeconds: Math.min(seconds, LONGEST_REST_SECONDS) }),
  });
}

/** Seconds, or a date. */
function retryAfterOf(headers: Headers): number | null {
  const text = headers.get("retry-after");
  if (text === null) return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.max(0, Math.ceil((atMs - Date.now()) / 1000));
}

interface FailureOptions {
  text: string;
  values?: ErrorValues;
  retryAfterSeconds?: number;
}

function failure(
  code: ErrorCode,
  { repo, file }: HubSubject,
  { text, values, retryAfterSeconds }: FailureOptions,
): AppError {
  const subject = repo === undefined ? "ask the Hub" : `get ${
    JSON.stringify(
      file === undefined ? repo : `${repo}/${file}`,
    )
  } from the Hub`;
  return new AppError(code, `Cannot ${subject}: ${text}`, {
    values: {
      ...(repo !== undefined && { repo }),
      ...(file !== undefined && { file }),
      ...values,
    },
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  });
}

function repoOf({ repo }: HubSubject): string {
  return repo === undefined ? "it" : JSON.stringify(repo);
}

// The one error type that a user may see, and the closed list of its codes.
// Rendering it in a caller's dialect is the gateway's; anything else that is thrown is a bug.

/** Every code with the HTTP status it is answered with. */
const STATUS_OF = {
  invalid_request: 400,
  remote_media_refused: 400,
  model_required: 400,
  invalid_api_key: 401,
  file_name_refused: 400,
  import_refused: 400,
  key_scope_too_small: 403,
  host_not_allowed: 403,
  origin_not_allowed: 403,
  model_not_found: 404,
  route_not_found: 404,
  request_not_found: 404,
  download_not_found: 404,
  key_not_found: 404,
  runtime_not_found: 404,
  hub_not_found: 404,
  hub_gated: 403,
  hub_token_refused: 403,
  method_not_allowed: 405,
  body_stalled: 408,
  key_refused: 409,
  model_loaded: 409,
  model_missing: 409,
  download_exists: 409,
  runtime_refused: 409,
  body_too_large: 413,
  unsupported_media_type: 415,
  hub_rate_limited: 429,
  too_many_wrong_keys: 429,
  cancelled: 499,
  internal: 500,
  not_supported: 501,
  load_failed: 502,
  model_file_invalid: 502,
  upstream_failed: 502,
  runtime_changed: 502,
  overloaded: 503,
  shutting_down: 503,
  runtime_missing: 503,
  load_stalled: 504,
  out_of_memory: 507,
  download_failed: 502,
  hub_failed: 502,
  hub_unreachable: 503,
  hub_host_refused: 502,
  download_changed: 502,
  download_stalled: 504,
  checksum_wrong: 502,
  disk_full: 507,
  bad_flag: 500,
  port_in_use: 500,
  folder_unusable: 500,
  already_running: 500,
  /** The command line's: there is none, or it does not answer. */
  server_unreachable: 503,
} as const;

/** What a program may branch on; the page translates it together with `values`. */
export type ErrorCode = keyof typeof STATUS_OF;

/** Facts behind a message, for translation: names and numbers, never sentences. */
export type ErrorValues = Readonly<Record<string, string | number | boolean | null>>;

export interface AppErrorOptions extends ErrorOptions {
  values?: ErrorValues;
  /** The request field that is wrong, as OpenAI's `param`. */
  param?: string;
  /** Seconds after which the same call may succeed; answered as `Retry-After`. */
  retryAfterSeconds?: number;
}

/**
 * A failure with a reason that its reader can act on. The message starts upper-case, ends without
 * a period, names the action and says what to do next.
 */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly values: ErrorValues;
  readonly param: string | null;
  readonly retryAfterSeconds: number | null;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.status = STATUS_OF[code];
    this.values = options.values ?? {};
    this.param = options.param ?? null;
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
  }

  /** Plain data that survives `postMessage`, which would strip a class. */
  toData(): AppErrorData {
    const { code, message, values, param, retryAfterSeconds } = this;
    return {
      code,
      message,
      values,
      ...(param !== null && { param }),
      ...(retryAfterSeconds !== null && { retryAfterSeconds }),
    };
  }

  static fromData(data: AppErrorData): AppError {
    const { code, message, ...options } = data;
    // It may come from a file that another release wrote.
    return new AppError(Object.hasOwn(STATUS_OF, code) ? code : "internal", message, options);
  }
}

export interface AppErrorData {
  code: ErrorCode;
  message: string;
  values: ErrorValues;
  param?: string;
  retryAfterSeconds?: number;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

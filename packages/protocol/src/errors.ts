/** One row per failure a user can meet. `status` is the HTTP answer; `retryable` says whether the same request may succeed later. */
export const ERRORS = {
  token_missing: { status: 401, retryable: false, message: 'A token is needed: connect with auth.token' },
  token_invalid: { status: 401, retryable: false, message: 'The token is not valid here' },
  token_expired: {
    status: 401,
    retryable: false,
    message: 'The token has expired: connect with a fresh one',
  },
  token_revoked: {
    status: 401,
    retryable: false,
    message: 'The token has been revoked: connect with a newer one, if you may',
  },
  api_key_invalid: {
    status: 401,
    retryable: false,
    message: 'Send a valid API key as "Authorization: Bearer …"',
  },
  origin_not_allowed: {
    status: 403,
    retryable: false,
    message: 'Pages of this origin may not connect: FANFARE_CORS_ORIGINS has to list it',
  },
  forbidden: { status: 403, retryable: false, message: 'The token or API key does not allow this' },
  invalid_payload: { status: 400, retryable: false, message: 'The payload does not have the expected shape' },
  unknown_event: { status: 404, retryable: false, message: 'No handler takes this event' },
  not_found: { status: 404, retryable: false, message: 'There is nothing at this address' },
  user_offline: { status: 404, retryable: false, message: 'The user is not connected now' },
  payload_too_large: { status: 413, retryable: false, message: 'The payload is larger than the limit' },
  rate_limited: {
    status: 429,
    retryable: true,
    message: 'Too much was asked for in too short a time: wait before the next try',
  },
  limit_reached: {
    status: 409,
    retryable: false,
    message: 'There are as many as may be at a time: give one up before the next',
  },
  unavailable: {
    status: 503,
    retryable: true,
    message: 'The cluster cannot take this now: try again shortly',
  },
  internal: { status: 500, retryable: false, message: 'Something went wrong on our side' },
} as const satisfies Record<string, { status: number; retryable: boolean; message: string }>;

/** What went wrong, in one word: `forbidden`, `unavailable`. Branch on it, not on the message. */
export type ErrorCode = keyof typeof ERRORS;

/** What a client or backend is told of a failure: in an ack, in `connect_error.data`, in a problem document. */
export interface WireError {
  code: ErrorCode;
  message: string;
  retryable: boolean;
  /** Wait before another try, in ms; where it is known. */
  retryAfterMs?: number;
}

/** The one error of the house. `cause` stays inside; code, message, retryable and retryAfterMs go out. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    message: string = ERRORS[code].message,
    options?: ErrorOptions & { retryAfterMs?: number },
  ) {
    super(message, options);
    this.name = 'AppError';
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs;
  }

  /** Anything that was thrown, as an AppError; what is not one becomes `internal` with the original as cause. */
  static from(thrown: unknown): AppError {
    return thrown instanceof AppError ? thrown : new AppError('internal', undefined, { cause: thrown });
  }

  /** Of the HTTP answer. */
  get status(): number {
    return ERRORS[this.code].status;
  }

  /** What goes out: never the cause. */
  toWire(): WireError {
    const { code, message, retryAfterMs } = this;
    const { retryable } = ERRORS[code];
    return { code, message, retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
}

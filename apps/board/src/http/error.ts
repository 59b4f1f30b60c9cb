/** One row per failure that a page can meet. */
export const ERRORS = {
  invalid: { status: 400, message: 'This is not what was expected' },
  signed_out: { status: 401, message: 'Sign in first' },
  wrong_password: { status: 401, message: 'The name or the password is wrong' },
  forbidden: { status: 403, message: 'You may look, but not change this' },
  foreign_origin: { status: 403, message: 'This request came from another site' },
  not_found: { status: 404, message: 'There is nothing at this address, or it is not yours' },
  name_taken: { status: 409, message: 'Somebody has this name already: choose another one' },
  outdated: { status: 409, message: 'Somebody else changed this meanwhile: look at it again' },
  too_many_tries: { status: 429, message: 'Too many tries: wait some minutes' },
  unavailable: { status: 503, message: 'The database is away: nothing was changed, try again shortly' },
  internal: { status: 500, message: 'Something went wrong on our side' },
} as const satisfies Record<string, { status: number; message: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** The one error of the board. Code and message go out, the cause does not. */
export class BoardError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string = ERRORS[code].message, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BoardError';
    this.code = code;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  /** Anything that was thrown; what is unknown becomes `internal` with the original as its cause. */
  static from(thrown: unknown): BoardError {
    if (thrown instanceof BoardError) return thrown;
    const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? String(thrown.code) : '';
    const status = typeof thrown === 'object' && thrown !== null && 'status' in thrown ? thrown.status : 0;
    if (isAway(code) || /connection|timeout exceeded/i.test(thrown instanceof Error ? thrown.message : ''))
      return new BoardError('unavailable', undefined, { cause: thrown });
    // What Express and its body parser refuse.
    if (typeof status === 'number' && status >= 400 && status < 500)
      return new BoardError('invalid', undefined, { cause: thrown });
    return new BoardError('internal', undefined, { cause: thrown });
  }
}

/** Codes of a server that is not there, or is starting or stopping: classes 08 and 57P of PostgreSQL. */
const isAway = (code: string): boolean =>
  ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND'].includes(code) || /^(08|57P)/.test(code);

import type { ErrorCode } from '@fanfare/protocol';

/** The codes of the contract, `closed` for what a closed client was asked, and those of gateways newer than this. */
export type FanfareErrorCode = ErrorCode | 'closed' | (string & {});

/**
 * What a gateway refused, or what could not reach one. `unavailable` is retryable and means that the outcome is not
 * known: the same `id` makes another try safe.
 */
export class FanfareError extends Error {
  readonly code: FanfareErrorCode;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** How long to wait before the same request, in ms; with `rate_limited`. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: FanfareErrorCode,
    message: string,
    options: ErrorOptions & { retryable?: boolean; retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options);
    this.name = 'FanfareError';
    this.code = code;
    this.retryable = options.retryable ?? code === 'unavailable';
    this.retryAfterMs = options.retryAfterMs;
  }

  static fromWire({
    code,
    message,
    retryable,
    retryAfterMs,
  }: {
    code: string;
    message: string;
    retryable: boolean;
    retryAfterMs?: number | undefined;
  }): FanfareError {
    return new FanfareError(code, message, { retryable, retryAfterMs });
  }
}

export const unavailable = (message: string, cause?: unknown): FanfareError =>
  new FanfareError('unavailable', message, { cause });

/**
 * Runs a function of the app. What it throws must not stop the other ones nor the client, so it becomes an uncaught error,
 * as with any listener.
 */
export const callApp = (call: () => void): void => {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
};

import type { BatchResult, ErrorCode, PublishResult } from '@fanfare/protocol';

/** The codes of the contract, and those of an api that is newer than this. */
export type PublishErrorCode = ErrorCode | (string & {});

export interface PublishFailure {
  code: PublishErrorCode;
  message: string;
  retryable: boolean;
  /** HTTP status of the last answer; undefined when there was none. */
  status?: number | undefined;
  /** What became of each room, or of each command of `publishMany`, where that is known. */
  results?: readonly PublishResult[] | readonly BatchResult[] | undefined;
  /** What the api asks to wait before another try, in ms. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/**
 * What the api refused, or what did not come through in time. When `retryable`, the outcome is not known: the same `ids`
 * make another try safe for 10 minutes.
 */
export class PublishError extends Error {
  readonly code: PublishErrorCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** HTTP status of the last answer; undefined when there was none. */
  readonly status: number | undefined;
  /** What the api asks to wait before another try, in ms; undefined where it does not say. */
  readonly retryAfterMs: number | undefined;
  /** What became of each room, or of each event of `publishMany`, where that is known. */
  readonly results: readonly PublishResult[] | readonly BatchResult[] | undefined;
  /** The id of each command that was sent, in order. */
  readonly ids: readonly string[];

  constructor(failure: PublishFailure, ids: readonly string[] = []) {
    super(failure.message, { cause: failure.cause });
    this.name = 'PublishError';
    this.code = failure.code;
    this.retryable = failure.retryable;
    this.status = failure.status;
    this.retryAfterMs = failure.retryAfterMs;
    this.results = failure.results;
    this.ids = ids;
  }
}

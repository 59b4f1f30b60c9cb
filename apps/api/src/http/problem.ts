import { type AppError, ERRORS, type Problem } from '@fanfare/protocol';
import type { ErrorRequestHandler } from 'express';
import type { ApiEvents } from '../events.ts';
import { PartialFailure, toAppError } from './errors.ts';

/** Seconds after which a caller may try again; a Redis that is back is in use within about one. */
const RETRY_AFTER_SECONDS = 1;

const secondsUntilRetry = ({ retryAfterMs }: AppError): number =>
  retryAfterMs === undefined ? RETRY_AFTER_SECONDS : Math.ceil(retryAfterMs / 1000);

/** The problem document of an error: the title is that of its code, the detail what is particular. */
export const problemOf = (error: AppError): Problem => {
  const { code, status, message, retryAfterMs } = error;
  const { message: title, retryable } = ERRORS[code];
  return {
    type: `/docs/errors#${code}`,
    title,
    status,
    code,
    retryable,
    ...(message !== title && { detail: message }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(error instanceof PartialFailure && { results: error.results }),
  };
};

/** The one edge where what was thrown becomes an answer. */
export const answerProblem =
  (events: ApiEvents): ErrorRequestHandler =>
  (thrown, req, res, next) => {
    if (res.headersSent) {
      next(thrown);
      return;
    }
    const error = toAppError(thrown);
    events.failed(error, { method: req.method, path: req.path });
    if (error.status === 401) res.set('WWW-Authenticate', 'Bearer realm="fanfare"');
    if (ERRORS[error.code].retryable) res.set('Retry-After', String(secondsUntilRetry(error)));
    res
      .status(error.status)
      .type('application/problem+json')
      .send(JSON.stringify(problemOf(error)));
  };

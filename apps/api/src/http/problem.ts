import { AppError, ERRORS, type ErrorCode, type Problem } from '@fanfare/protocol';
import type { ErrorRequestHandler } from 'express';
import { z } from 'zod';
import type { ApiEvents } from '../events.ts';

/** Seconds after which a caller may try again; a Redis that is back is in use within about one. */
const RETRY_AFTER_SECONDS = 1;

/** Errors of Express and its body parser, by the shape that `http-errors` gives them. */
const httpError = z.object({ status: z.int().min(400).max(499), message: z.string() });

/** What the first complaints about a body are about, a sentence each. */
const explain = (error: z.ZodError): string =>
  error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.length === 0 ? 'The body' : `"${path.join('.')}"`}: ${message}`)
    .join('; ');

const codeOfStatus = (status: number): ErrorCode => {
  if (status === 413) return 'payload_too_large';
  return status === 404 ? 'not_found' : 'invalid_payload';
};

/** Anything that was thrown while a request was served, as the one error of the house. */
export const toAppError = (thrown: unknown): AppError => {
  if (thrown instanceof z.ZodError) return new AppError('invalid_payload', explain(thrown));
  const known = thrown instanceof AppError ? undefined : httpError.safeParse(thrown).data;
  if (known === undefined) return AppError.from(thrown);
  const code = codeOfStatus(known.status);
  return new AppError(code, code === 'invalid_payload' ? known.message : undefined, { cause: thrown });
};

/** The problem document of an error: the title is that of its code, the detail what is particular. */
export const problemOf = (error: AppError): Problem => {
  const { code, status, message } = error;
  const { message: title, retryable } = ERRORS[code];
  const detail = message === title ? {} : { detail: message };
  return { type: `/docs/errors#${code}`, title, status, code, retryable, ...detail };
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
    if (ERRORS[error.code].retryable) res.set('Retry-After', String(RETRY_AFTER_SECONDS));
    res
      .status(error.status)
      .type('application/problem+json')
      .send(JSON.stringify(problemOf(error)));
  };

import { AppError, type BatchResult, type ErrorCode, type PublishResult } from '@fanfare/protocol';
import { z } from 'zod';

/** Errors of Express and its body parser, by the shape that `http-errors` gives them. */
const httpError = z.object({ status: z.int().min(400).max(499), message: z.string() });

/** A request of several parts that did not all succeed: the answer tells what became of each. */
export class PartialFailure extends AppError {
  readonly results: PublishResult[] | BatchResult[];

  constructor(code: ErrorCode, message: string, results: PublishResult[] | BatchResult[]) {
    super(code, message);
    this.results = results;
  }
}

/** The first complaints of a schema, a sentence each; `part` is what it looked at. */
export const explain = (error: z.ZodError, part: string): string =>
  error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.length === 0 ? part : `"${path.join('.')}"`}: ${message}`)
    .join('; ');

const codeOfStatus = (status: number): ErrorCode => {
  if (status === 413) return 'payload_too_large';
  return status === 404 ? 'not_found' : 'invalid_payload';
};

/** Anything that was thrown while a request was served, as the one error of the house. */
export const toAppError = (thrown: unknown): AppError => {
  const known = thrown instanceof AppError ? undefined : httpError.safeParse(thrown).data;
  if (known === undefined) return AppError.from(thrown);
  const code = codeOfStatus(known.status);
  return new AppError(code, code === 'invalid_payload' ? known.message : undefined, { cause: thrown });
};

import { describe, expect, it } from 'vitest';
import { AppError, ERRORS } from './errors.ts';

describe('the error table', () => {
  it.each(Object.entries(ERRORS))('%s has an HTTP status of its kind and a sentence', (code, row) => {
    const { status, retryable, message } = row;
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(message.length).toBeGreaterThan(10);
    // Only a server that cannot do it now, or not that often, may be asked again with the same request.
    expect(retryable).toBe(status === 503 || status === 429);
  });
});

describe('an error', () => {
  it('tells its code, its own message and whether to try again', () => {
    const error = new AppError('unavailable', 'Redis is away');
    expect(error.toWire()).toEqual({ code: 'unavailable', message: 'Redis is away', retryable: true });
    expect(error.status).toBe(503);
  });

  it('tells the message of the table when it has none of its own', () => {
    expect(new AppError('forbidden').toWire().message).toBe(ERRORS.forbidden.message);
  });

  it('stays what it is when it is caught', () => {
    const error = new AppError('not_found');
    expect(AppError.from(error)).toBe(error);
  });

  it.each([new TypeError('a secret of the inside'), 'text', undefined, null, { code: 'forbidden' }])(
    'made of %o is "internal", keeps the cause inside and tells nothing of it',
    (thrown) => {
      const error = AppError.from(thrown);
      expect(error.cause).toBe(thrown);
      expect(error.toWire()).toEqual({
        code: 'internal',
        message: ERRORS.internal.message,
        retryable: false,
      });
    },
  );
});

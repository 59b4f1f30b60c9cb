import { describe, expect, it } from 'vitest';
import { AppError } from './errors.ts';
import { checkLoggable } from './payload.ts';

const codeOf = (data: unknown): string | undefined => {
  try {
    checkLoggable(data);
  } catch (error) {
    return AppError.from(error).code;
  }
  return undefined;
};

const nested = (levels: number): unknown => {
  let value: unknown = 1;
  for (let i = 0; i < levels; i += 1) value = [value];
  return value;
};

describe('data of a logged event', () => {
  it.each<[what: string, data: unknown, code: string | undefined]>([
    ['nothing', undefined, undefined],
    ['null', null, undefined],
    ['100 levels', nested(100), undefined],
    ['101 levels', nested(101), 'invalid_payload'],
    ['100,000 levels', nested(100_000), 'invalid_payload'],
    ['a buffer', Buffer.from('x'), 'invalid_payload'],
    ['a buffer inside', { a: [{ b: new Uint8Array(1) }] }, 'invalid_payload'],
    ['64 KB of text with its quotes', 'x'.repeat(65_534), undefined],
    ['one byte more', 'x'.repeat(65_535), 'payload_too_large'],
    ['64 KB of characters of three bytes', '\u20ac'.repeat(22_000), 'payload_too_large'],
  ])('%s: %#', (_what, data, code) => {
    expect(codeOf(data)).toBe(code);
  });
});

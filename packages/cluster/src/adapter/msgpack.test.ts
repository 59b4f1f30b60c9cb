import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { decode, encode } from 'notepack.io';
import { describe, expect, it } from 'vitest';
import { guardedDecode, guardedEncode } from './msgpack.ts';

const bytes = (...values: number[]): Buffer => Buffer.from(values);
const filled = (count: number, value: number): Buffer => Buffer.alloc(count, value);

describe('a message of the bus', () => {
  it('of any kind of value is decoded as notepack does', () => {
    const value = fc.oneof(
      fc.anything({ maxDepth: 3, withDate: true, withTypedArray: false }),
      fc.string({ maxLength: 70_000, size: 'max' }),
      fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
      fc.array(fc.integer(), { minLength: 16, maxLength: 70_000, size: 'max' }),
    );
    fc.assert(
      fc.property(value, (given) => {
        const message = encode(JSON.parse(JSON.stringify(given) ?? 'null'));
        expect(guardedDecode(message)).toEqual(decode(message));
      }),
      { numRuns: 300 },
    );
    for (const special of [new Date(0), new Date(1e13), undefined, 1.5, -1, -40_000, 2 ** 40, -(2 ** 40)])
      expect(guardedDecode(encode([special]))).toEqual(decode(encode([special])));
    for (const binary of [1, 300, 70_000].map((length) => randomBytes(length)))
      expect(guardedDecode(encode([binary, binary.toString('hex')]))).toEqual([
        binary,
        binary.toString('hex'),
      ]);
  });

  it.each<[what: string, message: Buffer]>([
    ['nested arrays', Buffer.concat([filled(5000, 0x91), bytes(1)])],
    ['nested maps', Buffer.concat([Buffer.from('81a161'.repeat(5000), 'hex'), bytes(1)])],
    ['an array that announces 16 million values', bytes(0xdd, 0, 0xff, 0xff, 0xff)],
    ['a map that announces 4 billion entries', bytes(0xdf, 0xff, 0xff, 0xff, 0xff)],
    ['a text that announces 4 GB', bytes(0xdb, 0xff, 0xff, 0xff, 0xff)],
    ['an ArrayBuffer that announces 4 GB', bytes(0xc9, 0xff, 0xff, 0xff, 0xff, 0)],
    ['a timestamp of another length, to hide what follows', bytes(0x92, 0xc7, 0, 0xff, ...filled(12, 0), 1)],
    ['an end too early', bytes(0x92, 1)],
    ['nothing', bytes()],
    ['trailing bytes', bytes(1, 1)],
    ['17 MB of text', encode('x'.repeat(17 * 1024 * 1024))],
    ['1,000,001 values', encode(Array.from({ length: 1_000_001 }, () => 1))],
  ])('with %s is refused before anything is made of it', (_what, message) => {
    const before = process.memoryUsage().arrayBuffers;
    const startedAt = performance.now();
    expect(() => guardedDecode(message)).toThrow(RangeError);
    expect(performance.now() - startedAt).toBeLessThan(50);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6);
  });

  it('that is random refuses or decodes, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (array) => {
        try {
          guardedDecode(Buffer.from(array));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 20_000 },
    );
  });
});

describe('a message for the bus', () => {
  it.each<[what: string, given: unknown, heard: unknown]>([
    ['a cut emoji', 'party \ud83c…', 'party \ufffd…'],
    ['a cut emoji in a long text', `${'x'.repeat(40)}\ud83c…`, `${'x'.repeat(40)}\ufffd…`],
    ['the second half alone', 'a\udf89', 'a\ufffd'],
    ['a half in the name of a property', { 'a\ud83c': [1] }, { 'a\ufffd': [1] }],
    ['a half deep inside', [{ a: [null, 'b\ud83c'] }, 7], [{ a: [null, 'b\ufffd'] }, 7]],
    ['a half told by toJSON', { a: { toJSON: () => '\ud83c' } }, { a: '\ufffd' }],
    ['a half beside binary', ['\ud83c', Buffer.from('b')], ['\ufffd', Buffer.from('b')]],
  ])('has U+FFFD for %s, and all of the rest', (_what, given, heard) => {
    expect(guardedDecode(guardedEncode(given))).toEqual(heard);
  });

  it('of whole characters is what notepack makes of it', () => {
    const message = {
      'ü🎉': ['🎉', 1.5, null, undefined, new Date(7), Buffer.from('b'), { toJSON: () => [1] }],
    };
    expect(guardedEncode(message)).toEqual(encode(message));
  });
});

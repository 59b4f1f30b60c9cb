import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from './errors.ts';
import { checkPayload, type PayloadBounds } from './payload.ts';

const BOUNDS: PayloadBounds = {
  name: 'The payload',
  depth: 4,
  entries: 12,
  textLength: 8,
  keyLength: 4,
  size: 30,
  binary: false,
};

/** What is wrong with a value, told by plain recursion. */
const problemsOf = (value: unknown): ReadonlySet<string> => {
  const problems = new Set<string>();
  let entries = 0;
  let size = 0;
  const walk = (inner: unknown, depth: number): void => {
    if (typeof inner === 'string') {
      size += inner.length;
      if (inner.length > BOUNDS.textLength) problems.add('payload_too_large');
    }
    if (typeof inner !== 'object' || inner === null) return;
    if (ArrayBuffer.isView(inner)) {
      problems.add('invalid_payload');
      return;
    }
    if (depth >= BOUNDS.depth) problems.add('invalid_payload');
    for (const [key, child] of Object.entries(inner)) {
      entries += 1;
      if (!Array.isArray(inner)) {
        size += key.length;
        if (key.length > BOUNDS.keyLength) problems.add('payload_too_large');
        if (key === '__proto__') problems.add('invalid_payload');
      }
      walk(child, depth + 1);
    }
  };
  walk(value, 0);
  if (entries > BOUNDS.entries || size > BOUNDS.size) problems.add('payload_too_large');
  return problems;
};

const text = fc.string({ maxLength: 10 });
const key = fc.oneof({ weight: 20, arbitrary: fc.string({ maxLength: 5 }) }, fc.constant('__proto__'));
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null), fc.uint8Array({ maxLength: 3 })),
    fc.array(tie('tree'), { maxLength: 4 }),
    // As JSON.parse makes them: "__proto__" is a property like any other.
    fc.array(fc.tuple(key, tie('tree')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

describe('the payload guard', () => {
  it('takes and refuses exactly what a plain recursion does', () => {
    fc.assert(
      fc.property(tree, (value) => {
        const problems = problemsOf(value);
        let code: string | undefined;
        try {
          checkPayload(value, BOUNDS);
        } catch (error) {
          code = AppError.from(error).code;
        }
        if (problems.size === 0) expect(code).toBeUndefined();
        else expect(problems).toContain(code);
      }),
      { numRuns: 5000 },
    );
  });

  it('stops at the first bound, however large a value is', () => {
    const wide = Array.from({ length: 3_000_000 }, () => 1);
    expect(() => checkPayload([wide, wide])).toThrow('The payload: more than 20000 elements and properties');
  });

  it('walks a value that is 1,000,000 levels deep no further than its bound', () => {
    let value: unknown = 1;
    for (let i = 0; i < 1_000_000; i += 1) value = { a: value };
    expect(() => checkPayload(value)).toThrow('The payload: nested deeper than 104 levels');
  });
});

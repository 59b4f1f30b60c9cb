import { LIMITS } from '@fanfare/protocol';
import { expect, test } from 'vitest';
import { lifeOf } from './order.ts';

const LONGEST_TOKEN_MS = 60_000;

test('revocations and removals outlive every token that was issued before, on a node that takes it after its end too', () => {
  const untilRefused = LONGEST_TOKEN_MS + LIMITS.toleranceMs;
  for (const order of [
    { kind: 'revoke-user', user: 'alice' },
    { kind: 'remove', user: 'alice', room: 'project:1', namespace: '/' },
  ] as const) {
    expect(lifeOf(order, LONGEST_TOKEN_MS)).toBeGreaterThanOrEqual(untilRefused);
  }
});

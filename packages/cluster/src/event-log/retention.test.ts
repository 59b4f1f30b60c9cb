import { describe, expect, it } from 'vitest';
import { DEFAULT_RETENTION, retentionRules } from './retention.ts';

describe('retention rules', () => {
  it('read pattern, count, bytes and age, in order', () => {
    expect(retentionRules.parse('chat:*=5000/4mb/7d, **=10/64kb/30s')).toEqual([
      { pattern: 'chat:*', count: 5000, bytes: 4 * 1024 ** 2, ageMs: 7 * 86_400_000 },
      { pattern: '**', count: 10, bytes: 65_536, ageMs: 30_000 },
    ]);
  });

  it('have a default that is valid, and keeps an inbox for a week', () => {
    const [inbox, others] = retentionRules.parse(DEFAULT_RETENTION);
    expect(inbox).toMatchObject({ pattern: 'inbox:*', ageMs: 7 * 86_400_000 });
    expect(others).toMatchObject({ pattern: '**' });
  });

  it.each(['', 'chat:*=1/1mb/1h', '**=0/1mb/1h', '**=1/1/1h', '**=1/1mb', 'x'])('refuse "%s"', (text) => {
    expect(retentionRules.safeParse(text).success).toBe(false);
  });
});

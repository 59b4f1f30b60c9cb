import { expect, test } from 'vitest';
import { runOutbox } from './run.ts';

test('(G3) every committed event is told once and in order, and no other, whoever is killed when (row 8)', async () => {
  const { faults, killed, ...verdict } = await runOutbox({ seed: 1, moments: 10 });
  expect(faults).toEqual({ lost: 0, doubled: 0, outOfOrder: 0, untrue: 0, forgotten: 0, dead: 0, resets: 0 });
  expect(killed.api).toBe(10);
  expect(killed.postgres + killed.redis).toBe(2);
  expect(verdict.committed).toBeGreaterThan(100);
  expect(verdict.idleMs.p50).toBeLessThan(50);
  expect(verdict.ok).toBe(true);
});

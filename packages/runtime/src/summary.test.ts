import { expect, it } from 'vitest';
import { createSummary } from './summary.ts';

it('what happens very often is told at once, and then summed up', async () => {
  const told: [string, number][] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const note = createSummary<'a' | 'b'>((kind, times) => {
    told.push([kind, times]);
    if (times > 1) resolve();
  }, 20);
  for (let n = 0; n < 1000; n += 1) note('a');
  note('b');
  await promise;
  expect(told).toEqual([
    ['a', 1],
    ['b', 1],
    ['a', 999],
  ]);
});

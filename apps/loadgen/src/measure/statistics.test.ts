import { expect, it } from 'vitest';
import { median, pairedRatios, spreadOf } from './statistics.ts';

it('takes the middle value, or the mean of the two middle ones', () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2])]).toEqual([2, 2.5]);
});

it('takes ratios round by round, so that a slow round cancels out', () => {
  expect(spreadOf(pairedRatios([20, 60, 22], [10, 30, 11]))).toEqual({
    median: 2,
    min: 2,
    max: 2,
    rounds: [2, 2, 2],
  });
});

it('refuses rounds that are not pairs', () => {
  expect(() => pairedRatios([1, 2], [1])).toThrow(/equal rounds/);
});

import { describe, expect, it } from 'vitest';
import { Histogram } from './histogram.ts';

const of = (values: Iterable<number>): Histogram => {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
};

describe('Histogram', () => {
  it('is exact below 256', () => {
    const histogram = of(Array.from({ length: 200 }, (_, i) => i + 1));
    expect([0.5, 0.9, 0.99, 1].map((q) => histogram.quantile(q))).toEqual([100, 180, 198, 200]);
  });

  it('is within 0.8 % above, and never below the value', () => {
    for (let value = 256; value < 2 ** 32; value = Math.floor(value * 1.37) + 1) {
      const found = of([value, 2 ** 32 - 1]).quantile(0.5);
      expect(found).toBeGreaterThanOrEqual(value);
      expect(found).toBeLessThanOrEqual(value * 1.008);
    }
  });

  it('never reports more than the largest value recorded', () => {
    expect(of([1_000_003]).quantile(0.99)).toBe(1_000_003);
  });

  it('takes what is negative, fractional or too large', () => {
    const histogram = of([-5, 2.6, 1e15]);
    expect([histogram.quantile(0.3), histogram.quantile(0.6), histogram.max]).toEqual([0, 3, 2 ** 32 - 1]);
  });

  it('survives its way through counts, and adds up', () => {
    const [small, large] = [of([1, 2, 3]), of([100_000, 200_000, 300_000])];
    const sum = new Histogram();
    for (const part of [small, large]) sum.merge(Histogram.from(part.counts()));
    expect(sum.count).toBe(6);
    expect(sum.quantile(0.5)).toBe(3);
    expect(sum.counts()).toEqual(of([1, 2, 3, 100_000, 200_000, 300_000]).counts());
  });

  it('has nothing to say when nothing was recorded', () => {
    expect([new Histogram().quantile(0.5), new Histogram().max]).toEqual([0, 0]);
  });
});

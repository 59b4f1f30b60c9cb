import { expect, it } from 'vitest';
import { backoff } from './timing.ts';

const sample = (attempt: number): { min: number; max: number } => {
  const delays = Array.from({ length: 2000 }, () => backoff(attempt));
  return { min: Math.min(...delays), max: Math.max(...delays) };
};

it('begins at 750 ms ± 50 % and doubles', () => {
  expect(sample(0).min).toBeGreaterThanOrEqual(375);
  expect(sample(0).max).toBeLessThanOrEqual(1125);
  expect(sample(3).min).toBeGreaterThanOrEqual(3000);
  expect(sample(3).max).toBeLessThanOrEqual(9000);
});

it.each([10, 100, 5000])('is at most 30 s after %i tries, and still spread', (attempt) => {
  const { min, max } = sample(attempt);
  expect(min).toBeLessThan(11_000);
  expect(min).toBeGreaterThanOrEqual(10_000);
  expect(max).toBeLessThanOrEqual(30_000);
  expect(max).toBeGreaterThan(29_000);
});

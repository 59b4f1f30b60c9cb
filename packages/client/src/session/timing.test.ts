import { expect, it } from 'vitest';
import { backoff, Pace } from './timing.ts';

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

it('gives what is too late no turn, and holds up nobody for it', async () => {
  const pace = new Pace();
  const isRefusal = () => true;
  const refused = async () => Promise.reject(new Error('too fast'));
  await expect(pace.run(refused, { isRefusal, check: () => undefined })).rejects.toThrow('too fast');
  const tooLate = () => {
    throw new Error('too late');
  };
  const late = Array.from({ length: 5000 }, () =>
    pace.run(async () => 'late', { isRefusal: () => false, check: tooLate }),
  );
  const outcomes = Promise.allSettled(late);
  expect(await pace.run(async () => 'in time', { isRefusal, check: () => undefined })).toBe('in time');
  expect(new Set((await outcomes).map(({ status }) => status))).toEqual(new Set(['rejected']));
});

import { expect, it } from 'vitest';
import { createTurnstile } from './turnstile.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

it('lets so much work through in a turn, in its order, and the rest in the next ones', async () => {
  const turnstile = createTurnstile(3);
  const done: number[] = [];
  for (let n = 0; n < 8; n += 1) turnstile(() => done.push(n));
  expect(done).toEqual([0, 1, 2]);
  await turn();
  expect(done).toEqual([0, 1, 2, 3, 4, 5]);
  turnstile(() => done.push(8));
  await turn();
  expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  await turn();
  turnstile(() => done.push(9));
  expect(done.at(-1)).toBe(9);
});

it('lets a single piece of work through at once', () => {
  const turnstile = createTurnstile(1);
  let done = false;
  turnstile(() => {
    done = true;
  });
  expect(done).toBe(true);
});

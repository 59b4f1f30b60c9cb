import { expect, test } from 'vitest';
import { createTurns } from './turns.ts';

const workFor = (ms: number): void => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

test('work for many sockets is done in order, and others get their turn in between', async () => {
  const turns = createTurns();
  const order: string[] = [];
  const all = ['a', 'b', 'c', 'd'].map((name) =>
    turns.run(() => {
      workFor(6);
      order.push(name);
    }),
  );
  // A chain of immediates sees every turn of the loop.
  const watch = () => {
    order.push('loop');
    if (order.filter((name) => name !== 'loop').length < 4) setImmediate(watch);
  };
  setImmediate(watch);
  await Promise.all(all);
  expect(order.filter((name) => name !== 'loop')).toEqual(['a', 'b', 'c', 'd']);
  expect(order.slice(0, order.indexOf('c'))).toContain('loop');
  expect(order.slice(order.indexOf('b'), order.indexOf('d'))).toContain('loop');
});

test('what work returns or throws is the answer', async () => {
  const turns = createTurns();
  await expect(turns.run(() => 42)).resolves.toBe(42);
  const fail = () => {
    throw new RangeError('no');
  };
  await expect(turns.run(fail)).rejects.toThrow(RangeError);
});

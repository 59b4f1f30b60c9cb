import { expect, test, vi } from 'vitest';
import { createTurns } from './turns.ts';

const workFor = (ms: number): void => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

/** Notes every turn of the loop until so many other things are noted. */
const watchTurns = (order: string[], things: number): void => {
  const watch = () => {
    order.push('loop');
    if (order.filter((name) => name !== 'loop').length < things) setImmediate(watch);
  };
  setImmediate(watch);
};

test('work for many sockets is done in order, and others get their turn in between', async () => {
  const turns = createTurns();
  const order: string[] = [];
  const all = ['a', 'b', 'c', 'd'].map((name) =>
    turns.run('answer', () => {
      workFor(6);
      order.push(name);
    }),
  );
  watchTurns(order, 4);
  await Promise.all(all);
  expect(order.filter((name) => name !== 'loop')).toEqual(['a', 'b', 'c', 'd']);
  expect(order.slice(0, order.indexOf('c'))).toContain('loop');
  expect(order.slice(order.indexOf('b'), order.indexOf('d'))).toContain('loop');
});

test('work is done at once while there is time for it', async () => {
  const turns = createTurns();
  const order: number[] = [];
  const all = [1, 2, 3].map((n) => turns.run('work', () => order.push(n)));
  expect(order).toEqual([1, 2, 3]);
  await Promise.all(all);
});

test('what one piece leads to is done before the next one begins', async () => {
  const turns = createTurns();
  const order: string[] = [];
  const piece = (name: string) =>
    turns.run('work', async () => {
      order.push(`${name} begins`);
      for (let i = 0; i < 10; i++) await undefined;
      order.push(`${name} ends`);
    });
  void turns.run('work', () => workFor(6));
  await Promise.all([piece('a'), piece('b')]);
  expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
});

test('what was begun is finished before more is begun, and each kind gets something done in every turn', async () => {
  const turns = createTurns();
  const order: string[] = [];
  void turns.run('answer', () => workFor(6));
  const all = (['work', 'work', 'answer', 'answer'] as const).map((kind) =>
    turns.run(kind, () => {
      workFor(6);
      order.push(kind);
    }),
  );
  await Promise.all(all);
  expect(order).toEqual(['answer', 'work', 'answer', 'work']);
});

test('so much work is under way at once, and the rest begins in order as that ends', async () => {
  const turns = createTurns();
  const begun: PromiseWithResolvers<void>[] = [];
  const work = async (): Promise<void> => {
    const piece = Promise.withResolvers<void>();
    begun.push(piece);
    await piece.promise;
  };
  const all = Array.from({ length: 34 }, () => turns.run('work', work));
  await turns.run('answer', () => undefined);
  expect(begun).toHaveLength(32);
  begun[20]?.resolve();
  await all[20];
  // Whoever is answered in the next turn comes after what begins in it.
  await vi.waitUntil(() => begun.length === 33);
  begun[32]?.reject(new RangeError('no'));
  await expect(all[32]).rejects.toThrow(RangeError);
  await vi.waitUntil(() => begun.length === 34);
  for (const piece of begun) piece.resolve();
  await Promise.allSettled(all);
});

test('work that waits for what does not come holds up nobody', async () => {
  const turns = createTurns();
  for (let n = 0; n < 32; n++) void turns.run('work', () => new Promise(() => undefined));
  await expect(turns.run('work', async () => 'done')).resolves.toBe('done');
});

test('what work returns or throws is the answer, and the work behind it is done', async () => {
  const turns = createTurns();
  await expect(turns.run('answer', () => 42)).resolves.toBe(42);
  const fail = () => {
    throw new RangeError('no');
  };
  await expect(turns.run('answer', fail)).rejects.toThrow(RangeError);
  void turns.run('answer', () => workFor(6));
  const failing = expect(turns.run('answer', fail)).rejects.toThrow(RangeError);
  await expect(turns.run('answer', () => 43)).resolves.toBe(43);
  await failing;
});

import { expect, test } from 'vitest';
import { createGate } from './gate.ts';

/** Work that ends when it is told to. */
const createWork = () => {
  const begun: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<string>>();
  const work = (name: string) => () => {
    begun.push(name);
    const end = Promise.withResolvers<string>();
    ends.set(name, end);
    return end.promise;
  };
  return { begun, ends, work };
};

test('no more work is under way than there are places, and the rest follows in order', async () => {
  const gate = createGate(2);
  const { begun, ends, work } = createWork();
  const all = ['a', 'b', 'c', 'd'].map((name) => gate.run(work(name)));
  await Promise.resolve();
  expect(begun).toEqual(['a', 'b']);
  ends.get('b')?.resolve('b');
  await expect(all[1]).resolves.toBe('b');
  await Promise.resolve();
  expect(begun).toEqual(['a', 'b', 'c']);
  for (const name of ['a', 'c']) ends.get(name)?.resolve(name);
  await Promise.all([all[0], all[2]]);
  ends.get('d')?.resolve('d');
  expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd']);
});

test('a failure refuses what waits, without beginning it, and the places are free again', async () => {
  const gate = createGate(1);
  const { begun, ends, work } = createWork();
  const all = ['a', 'b', 'c'].map((name) => gate.run(work(name)));
  await Promise.resolve();
  ends.get('a')?.reject(new RangeError('away'));
  const outcomes = await Promise.allSettled(all);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(begun).toEqual(['a']);
  const later = gate.run(work('later'));
  await Promise.resolve();
  ends.get('later')?.resolve('later');
  await expect(later).resolves.toBe('later');
});

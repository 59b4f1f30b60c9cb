import { expect, test } from 'vitest';
import { RequestError } from '../ui/request.ts';
import { createSnapshots } from './use-snapshot.ts';

const failing = (code: string) => () => Promise.reject(new RequestError(code, code));

/** Answers to one request after the other, and what becomes of them. */
const open = (...answers: (() => Promise<string>)[]) => {
  const told: string[] = [];
  const snapshots = createSnapshots<string>({
    fetchOne: () => (answers.shift() ?? failing('unexpected'))(),
    dispatch: (action) => told.push(action.type === 'fetched' ? action.snapshot : action.type),
    setProblem: (problem) => told.push(problem?.code ?? 'no problem'),
    pauseAfter: async () => undefined,
  });
  return { told, snapshots };
};

test('a snapshot is asked for until there is an answer', async () => {
  const { told, snapshots } = open(failing('unavailable'), failing('unreachable'), async () => 'new');
  expect(await snapshots.load()).toBe(true);
  expect(told).toEqual([
    ...['fetching', 'unavailable'],
    ...['fetching', 'unreachable'],
    ...['fetching', 'new', 'no problem'],
  ]);
});

test('a snapshot that is refused is not asked for again', async () => {
  const { told, snapshots } = open(failing('not_found'));
  expect(await snapshots.load()).toBe(false);
  expect(told).toEqual(['fetching', 'not_found']);
});

test('an older snapshot that comes after a newer one, or when nobody waits any more, is not taken', async () => {
  const late = Promise.withResolvers<string>();
  const never = Promise.withResolvers<string>();
  const { told, snapshots } = open(
    () => late.promise,
    async () => 'new',
    () => never.promise,
  );
  const overtaken = snapshots.load();
  expect(await snapshots.load()).toBe(true);
  late.resolve('old');
  expect(await overtaken).toBe(false);
  const stopped = snapshots.load();
  snapshots.stop();
  never.resolve('too late');
  expect(await stopped).toBe(false);
  expect(told).toEqual(['fetching', 'fetching', 'new', 'no problem', 'fetching']);
});

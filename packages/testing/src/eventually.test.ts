import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { eventually, nextEvent } from './eventually.ts';

test('eventually repeats until the assertion holds and returns its value', async () => {
  let calls = 0;
  const value = await eventually(async () => {
    calls += 1;
    expect(calls).toBeGreaterThanOrEqual(3);
    return 'held';
  });
  expect(value).toBe('held');
});

test('eventually fails with the last failure', async () => {
  const failing = eventually(
    () => {
      throw new Error('still wrong');
    },
    { timeoutMs: 50 },
  );
  await expect(failing).rejects.toThrow('Not so within 50 ms: still wrong');
});

test('eventually does not wait longer for an assertion that never settles', async () => {
  const hanging = eventually(() => new Promise<void>(() => {}), { timeoutMs: 50 });
  await expect(hanging).rejects.toThrow('the assertion never settled');
});

test('nextEvent gives all arguments of the first event that fits', async () => {
  const emitter = new EventEmitter();
  const next = nextEvent(emitter, 'told', { where: (value) => value === 2 });
  emitter.emit('told', 1, 'a');
  emitter.emit('told', 2, 'b');
  expect(await next).toEqual([2, 'b']);
  expect(emitter.listenerCount('told')).toBe(0);
});

test('nextEvent fails when the event does not come', async () => {
  const emitter = new EventEmitter();
  await expect(nextEvent(emitter, 'told', { timeoutMs: 20 })).rejects.toThrow('No "told" within 20 ms.');
  expect(emitter.listenerCount('told')).toBe(0);
});
